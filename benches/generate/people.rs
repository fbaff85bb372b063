//! Users and rooms.

use crate::random::Random;
use crate::words::Vocabulary;

/// The number that the first user gets; 1 is the administrator's.
const FIRST_USER: i64 = 2;

pub struct User {
    pub number: i64,
    pub name: String,
    pub address: String,
}

pub struct Room {
    pub number: i64,
    pub name: String,
    /// Bits of `QRflags`: 1 permanent, 2 in use, 4 private, 32 directory, 16384 mailbox.
    pub flags: i64,
    /// `QRdefaultview`: 0 a bulletin board, 1 a mailbox.
    pub view: i64,
    pub directory: String,
    pub list: Vec<i64>,
}

pub fn users(count: u32, random: &mut Random, vocabulary: &Vocabulary) -> Vec<User> {
    let user = |number: i64| {
        // Words of one rank each make a name, and the number makes it the only one.
        let [first, last] = [0; 2].map(|_| capitalised(vocabulary.word(1000 + random.below(20_000))));
        let address = format!("{first}.{last}{number}@citadel.example.org").to_lowercase();
        User { number, name: format!("{first} {last} {number}"), address }
    };
    (FIRST_USER..).take(count as usize).map(user).collect()
}

/// Public rooms first, then the three mailbox rooms of each user in their order.
pub fn rooms(users: &[User], public: usize, random: &mut Random, vocabulary: &Vocabulary) -> Vec<Room> {
    let mut rooms: Vec<Room> = ["Lobby", "Aide", "Trashcan"].map(|name| Room::new(name.into(), 3, 0)).into();
    for number in rooms.len()..public {
        let topic = capitalised(vocabulary.word(500 + random.below(20_000)));
        let mut room = Room::new(format!("{topic} {number}"), 2, 0);
        if number % 4 == 0 {
            room.flags |= 32 | 64 | 128 | 256;
            room.directory = format!("library{number}");
        }
        rooms.push(room);
    }
    for user in users {
        let mailboxes = ["Mail", "Sent Items", "Trash"];
        rooms.extend(mailboxes.map(|name| Room::new(format!("{:010}.{name}", user.number), 2 | 4 | 16384, 1)));
    }
    for (room, number) in rooms.iter_mut().zip(1..) {
        room.number = number;
    }
    rooms
}

impl Room {
    fn new(name: String, flags: i64, view: i64) -> Room {
        Room { number: 0, name, flags, view, directory: String::new(), list: Vec::new() }
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(1);
    first.to_uppercase() + rest
}
