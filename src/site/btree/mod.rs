//! Berkeley DB B-tree tables: reader and writer.
