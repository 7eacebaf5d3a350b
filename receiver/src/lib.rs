//! The data plane's edge: where configuration comes in.
pub mod config;
pub mod limits;
