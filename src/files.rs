//! Files and folders of manifests, as the command line takes them.

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use usher_core::manifest::{self, BadManifest, Expected, Found, Object, Source};

/// Something to read manifests from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file that was named.
    File(PathBuf),
    /// A file that was found in a folder.
    Found(PathBuf),
    /// Standard input.
    Stdin,
}

impl Input {
    /// Reads it.
    pub fn read(&self) -> Result<Source, BadManifest> {
        match self {
            Self::File(path) | Self::Found(path) => {
                let name = path.display().to_string();
                match File::open(path) {
                    Ok(file) => Source::read(name, file),
                    Err(error) => Err(unreadable(path, &error)),
                }
            }
            Self::Stdin => Source::read("stdin", io::stdin().lock()),
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> BadManifest {
    BadManifest {
        file: path.display().to_string(),
        position: None,
        what: format!("cannot be read: {error}"),
    }
}

/// Reads an input object by object; only one document is in memory at a time.
///
/// A named file, and standard input, must hold objects. In a folder a file that has none at all, as the values of a
/// chart, is passed over; one that has objects and something else is an error.
pub fn read<E: From<BadManifest>>(
    input: &Input,
    take: impl FnMut(&Source, &Object<'_, '_>) -> Result<(), E>,
) -> Result<Found, E> {
    let expected = match input {
        Input::Found(_) => Expected::Anything,
        Input::File(_) | Input::Stdin => Expected::Objects,
    };
    manifest::read(&input.read()?, expected, take)
}

/// What the paths name: `-` is standard input, of a folder all `.yaml`, `.yml` and `.json` files in it, sorted, and
/// in the folders in it. Hidden ones are left out, and a folder is visited once, whatever links lead to it.
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, BadManifest> {
    let mut inputs = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            inputs.push(Input::Stdin);
        } else if path.is_dir() {
            walk(path, &mut HashSet::new(), &mut inputs)
                .map_err(|(path, error)| unreadable(&path, &error))?;
        } else {
            inputs.push(Input::File(path.clone()));
        }
    }
    Ok(inputs)
}

fn walk(
    folder: &Path,
    visited: &mut HashSet<PathBuf>,
    inputs: &mut Vec<Input>,
) -> Result<(), (PathBuf, io::Error)> {
    let wrong = |path: &Path, error| (path.to_owned(), error);
    let real = folder.canonicalize().map_err(|e| wrong(folder, e))?;
    if !visited.insert(real) {
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| wrong(folder, e))? {
        paths.push(entry.map_err(|e| wrong(folder, e))?.path());
    }
    paths.sort();
    for path in paths {
        let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        if path.file_name().is_none_or(hidden) {
            continue;
        }
        let manifest = path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
        match fs::metadata(&path) {
            Ok(found) if found.is_dir() => walk(&path, visited, inputs)?,
            Ok(found) if found.is_file() && manifest => inputs.push(Input::Found(path)),
            // A link that leads nowhere is an error only if it should be a manifest.
            Err(error) if manifest => return Err((path, error)),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_is_walked_once_and_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("b/c")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        for file in [
            "b/c/z.yml",
            "b/a.json",
            "a.yaml",
            "c.txt",
            ".git/x.yaml",
            ".h.yaml",
        ] {
            fs::write(at(file), "").unwrap();
        }
        symlink(dir.path(), at("b/loop")).unwrap();
        symlink(at("a.yaml"), at("d.yaml")).unwrap();
        let found = inputs(&[dir.path().to_owned(), "-".into()]).unwrap();
        let mut wanted: Vec<_> = ["a.yaml", "b/a.json", "b/c/z.yml", "d.yaml"]
            .map(|path| Input::Found(at(path)))
            .into();
        wanted.push(Input::Stdin);
        assert_eq!(found, wanted);
        symlink(at("nowhere"), at("e.yaml")).unwrap();
        assert!(inputs(&[dir.path().to_owned()]).is_err());
    }
}
