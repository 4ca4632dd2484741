//! Real clusters on one machine, and the tests and demo that run on them.
