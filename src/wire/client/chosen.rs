//! Chosen records of a server, asked for ahead, over as many connections as it takes.

use std::collections::VecDeque;

use super::steady::{Connector, Steady};
use crate::codec::Digest;
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
    /// What is yet to be answered: the first of them may be answered in part.
    questions: VecDeque<(Kind, Vec<Key>)>,
    receiver: Option<Receiver>,
    /// Questions that were asked over the present connection.
    asked: usize,
    /// Whether the answer to the first of them has begun.
    has_begun: bool,
}

impl<'a, C: Connector> SteadyChosen<'a, C> {
    /// Asks for these records, of which there are as many kinds and keys as there may be, in canonical order.
    pub(super) fn new(steady: &'a mut Steady<C>, wanted: impl IntoIterator<Item = (Kind, Key)>) -> Self {
        let mut questions: VecDeque<(Kind, Vec<Key>)> = VecDeque::new();
        let mut bytes = 0;
        for (kind, key) in wanted {
            let encoded = encode_keys([&key]).len();
            bytes += encoded;
            match questions.back_mut() {
                Some((last, keys)) if *last == kind && bytes <= QUESTION_BYTES => keys.push(key),
                _ => {
                    bytes = encoded;
                    questions.push_back((kind, vec![key]));
                }
            }
        }
        SteadyChosen { steady, questions, receiver: None, asked: 0, has_begun: false }
    }

    /// The next header; `None` when all that were wanted have come.
    pub fn next_record(&mut self) -> Result<Option<Header>, WireError> {
        while !self.questions.is_empty() {
            if let Some(header) = self.receive(|receiver, input| receiver.next(input))? {
                return Ok(Some(header));
            }
            self.questions.pop_front();
            self.receiver = None;
            self.asked -= 1;
            self.has_begun = false;
        }
        Ok(None)
    }

    /// Puts the next segment of the present record's body into `segment`; `false` when there is none left.
    pub fn segment(&mut self, segment: &mut Vec<u8>) -> Result<bool, WireError> {
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
    ) -> Result<T, WireError> {
        let SteadyChosen { steady, questions, receiver, asked, has_begun } = self;
        steady.attempt(|client| {
            let result = (|| {
                let Some((kind, keys)) = questions.front() else {
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
                while let Some((kind, keys)) = questions.get(*asked).filter(|_| client.may_ask(QUESTION_BYTES)) {
                    client.ask(*kind, keys, 0)?;
                    *asked += 1;
                }
                if !*has_begun {
                    client.begin_answer()?;
                    *has_begun = true;
                }
                work(receiver, client.input())
            })();
            if result.is_err() {
                // If this connection broke, the next one must be asked again.
                (*asked, *has_begun) = (0, false);
            }
            result
        })
    }
}
