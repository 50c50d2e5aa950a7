/// The projects that ship with Usher, in alphabetical order: name, and file of the catalogue.
pub(super) const PROJECTS: &[(&str, &str)] = &[];
