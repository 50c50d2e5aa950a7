//! That what is told in words happens: a world, what somebody does in it, and what Usher says. The folders are the stories.

mod cli;
mod injections;
mod scenarios;
