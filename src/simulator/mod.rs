//! An upstream.
