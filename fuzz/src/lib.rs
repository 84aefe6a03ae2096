//! The modules of the program that are fuzzed, and no more of it: so they are built within a minute.

#[path = "../../src/post.rs"]
pub mod post;
#[path = "../../src/reading/mod.rs"]
pub mod reading;
#[path = "../../src/region.rs"]
pub mod region;
