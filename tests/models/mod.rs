//! That the program says what a slow and simple model says, which shares no code with it.

pub(crate) mod catalogue;
mod doors;
mod injection;
mod rbac;
mod rights;
mod toleration;
