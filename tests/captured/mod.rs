//! That reviews which a real API server sent are judged and changed as they must be, whole and damaged. The files are the
//! reviews.

pub(crate) mod judged;
mod replayed;
