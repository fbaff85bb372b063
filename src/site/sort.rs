//! External sort in bounded memory.
