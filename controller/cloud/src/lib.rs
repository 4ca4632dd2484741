//! The clouds whose route tables are programmed.
