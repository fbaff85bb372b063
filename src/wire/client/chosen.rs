//! Chosen records of a server, asked for ahead, over as many connections as it takes.

use std::collections::VecDeque;

use super::steady::{Connector, Steady};
use crate::codec::Digest;
use crate::endpoint::{Class, Failure};
use crate::record::{Header, Key, Kind};
use crate::wire::error::WireError;
use crate::wire::frame::Receiver;
use crate::wire::line::Input;
use crate::wire::words::encode_keys;

/// So many bytes of keys go into one question, so that four can be under way while the answer to a fifth comes.
const QUESTION_BYTES: usize = 4_000;

/// Records that come in the order in which they are wanted, which is canonical.
pub struct SteadyChosen<'a, C: Connector> {
    steady: &'a mut Steady<C>,
    questions: Questions<'a>,
    receiver: Option<Receiver>,
    /// Questions that were asked over the present connection.
    asked: usize,
    /// Whether the answer to the first of them has begun.
    has_begun: bool,
}

/// Keys of one kind.
type Question = (Kind, Vec<Key>);

/// Questions that are made as they are asked.
struct Questions<'a> {
    wanted: Box<dyn Iterator<Item = Result<(Kind, Key), Failure>> + Send + 'a>,
    /// The first of those that no question was made of.
    upcoming: Option<(Kind, Key)>,
    /// What is yet to be answered: the first of them may be answered in part.
    made: VecDeque<Question>,
}

impl Questions<'_> {
    /// The question that is answered after so many others; `None` if there are no more.
    fn get(&mut self, number: usize) -> Result<Option<&Question>, Failure> {
        while self.made.len() <= number {
            match self.make()? {
                Some(question) => self.made.push_back(question),
                None => return Ok(None),
            }
        }
        Ok(self.made.get(number))
    }

    fn make(&mut self) -> Result<Option<Question>, Failure> {
        let (mut question, mut bytes): (Option<Question>, usize) = (None, 0);
        loop {
            let next = match self.upcoming.take() {
                Some(next) => Some(next),
                None => self.wanted.next().transpose()?,
            };
            let Some((kind, key)) = next else { return Ok(question) };
            bytes += encode_keys([&key]).len();
            match &mut question {
                None => question = Some((kind, vec![key])),
                Some((same, keys)) if *same == kind && bytes <= QUESTION_BYTES => keys.push(key),
                Some(_) => {
                    self.upcoming = Some((kind, key));
                    return Ok(question);
                }
            }
        }
    }
}

impl<'a, C: Connector> SteadyChosen<'a, C> {
    /// Asks for these records, of which there are as many kinds and keys as there may be, in canonical order.
    pub(super) fn new(
        steady: &'a mut Steady<C>,
        wanted: impl Iterator<Item = Result<(Kind, Key), Failure>> + Send + 'a,
    ) -> Self {
        let questions = Questions { wanted: Box::new(wanted), upcoming: None, made: VecDeque::new() };
        SteadyChosen { steady, questions, receiver: None, asked: 0, has_begun: false }
    }

    /// The next header; `None` when all that were wanted have come.
    pub fn next_record(&mut self) -> Result<Option<Header>, Failure> {
        while self.questions.get(0)?.is_some() {
            if let Some(header) = self.receive(|receiver, input| receiver.next(input))? {
                return Ok(Some(header));
            }
            self.questions.made.pop_front();
            self.receiver = None;
            self.asked -= 1;
            self.has_begun = false;
        }
        Ok(None)
    }

    /// Puts the next segment of the present record's body into `segment`; `false` when there is none left.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, Failure> {
        if self.receiver.is_none() {
            segment.clear();
            return Ok(false);
        }
        self.receive(|receiver, input| receiver.segment(input, segment))
    }

    /// The identity digest of the present record.
    pub fn digest(&self) -> Digest {
        self.receiver.as_ref().map(Receiver::digest).unwrap_or_default()
    }

    fn receive<T>(
        &mut self,
        mut work: impl FnMut(&mut Receiver, &mut Input<C::Input>) -> Result<T, WireError>,
    ) -> Result<T, Failure> {
        let SteadyChosen { steady, questions, receiver, asked, has_begun } = self;
        // That what is wanted can't be told is nothing that another connection would mend.
        let mut untold = None;
        let result = steady.attempt(|client| {
            let result = (|| {
                let Some((kind, keys)) = questions.made.front() else {
                    return Err(WireError::Disagreement { problem: "nothing is left to ask for" });
                };
                let receiver = receiver.get_or_insert_with(|| Receiver::chosen(*kind, keys.iter().cloned()));
                if *asked == 0 {
                    if receiver.reconnect() {
                        client.ask(*kind, &receiver.missing(), receiver.open_offset())?;
                    } else {
                        *has_begun = true;
                    }
                    *asked = 1;
                }
                while client.may_ask(QUESTION_BYTES) {
                    match questions.get(*asked) {
                        Ok(Some((kind, keys))) => client.ask(*kind, keys, 0)?,
                        Ok(None) => break,
                        Err(failure) => {
                            untold = Some(failure);
                            return Ok(None);
                        }
                    }
                    *asked += 1;
                }
                if !*has_begun {
                    client.begin_answer()?;
                    *has_begun = true;
                }
                work(receiver, client.input()).map(Some)
            })();
            if result.is_err() {
                // If this connection broke, the next one must be asked again.
                (*asked, *has_begun) = (0, false);
            }
            result
        })?;
        let untold = || untold.unwrap_or_else(|| Failure::new(Class::Failed, "nothing is left to ask for"));
        result.ok_or_else(untold)
    }
}
