//! Whole paths through the program.
