//! What holds always: for every entry, every page, every file of the source, every size of a request.

mod alone;
mod bounds;
mod catalogue;
mod damage;
mod default_accounts;
mod docs;
mod generated;
mod injection_page;
mod limits;
mod manifests;
mod patches;
mod rooms;
mod shortened;
mod strangers;
