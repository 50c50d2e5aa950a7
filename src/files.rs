//! Files and folders: manifests, the configuration, and the files of the catalogue that it names.
//!
//! A manifest: [`inputs`] finds the files, each is read into a [`Source`], and [`manifest::contents`] finds the
//! objects of one. [`load`] reads a configuration, through [`config`].

use std::{
    collections::HashSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use usher_core::{
    config::{self, CatalogueFile, Settings},
    manifest::{self, Expected, Found, Object},
    yaml::{BadYaml, Source},
};

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
    pub fn read(&self) -> Result<Source, BadYaml> {
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

fn unreadable(path: &Path, error: &io::Error) -> BadYaml {
    BadYaml {
        file: path.display().to_string(),
        position: None,
        what: format!("cannot be read: {error}"),
    }
}

/// Reads an input object by object; only one document is in memory at a time.
///
/// A named file, and standard input, must hold objects. In a folder a file that has none at all, as the values of a
/// chart, is passed over; one that has objects and something else is an error.
pub fn read<E: From<BadYaml>>(
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
pub fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>, BadYaml> {
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
    for path in entries(folder).map_err(|e| wrong(folder, e))? {
        let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
        if path.file_name().is_none_or(hidden) {
            continue;
        }
        let manifest = is_yaml(&path) || path.extension().is_some_and(|end| end == "json");
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

/// What is in a folder, in the order of the names.
fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    Ok(paths)
}

fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end == "yaml" || end == "yml")
}

/// Largest configuration, and largest file of the catalogue, in bytes. A ConfigMap cannot hold more than 1 MiB.
const LARGEST: u64 = 4 << 20;

/// Reads a configuration file, and the files of the catalogue that it names.
pub fn load(path: &Path) -> Result<Settings, BadYaml> {
    let name = path.display().to_string();
    let text = small(path).map_err(|error| BadYaml {
        file: name.clone(),
        position: None,
        what: format!("the configuration cannot be read: {error}"),
    })?;
    configuration(&Source::new(name, text)?, folder(path))
}

/// The same of a text in memory; paths in it begin in this folder.
pub fn configuration(source: &Source, folder: &Path) -> Result<Settings, BadYaml> {
    config::read(source, |named| {
        catalogue_files(&folder.join(named))?
            .into_iter()
            .map(|file| {
                let name = file.display().to_string();
                match small(&file) {
                    Ok(text) => Ok((name, text)),
                    Err(error) => Err(format!("catalogue: {name}: {error}")),
                }
            })
            .collect::<Result<Vec<CatalogueFile>, String>>()
    })
}

/// The files of the catalogue that a configuration file with this text names, also one with mistakes: whoever waits for
/// changes has to look at them.
pub fn named_files(path: &Path, text: &str) -> Vec<PathBuf> {
    let named = config::named_files(text).into_iter();
    named
        .flat_map(|named| {
            let named = folder(path).join(named);
            catalogue_files(&named).unwrap_or_else(|_| vec![named])
        })
        .collect()
}

/// The folder of a configuration: paths in it begin there.
fn folder(configuration: &Path) -> &Path {
    configuration.parent().unwrap_or(Path::new(""))
}

fn small(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > LARGEST {
        return Err(io::Error::other("it is larger than 4 MiB"));
    }
    fs::read_to_string(path)
}

/// The files of the catalogue that a path leads to: a file, or those in a folder, in the order of their names.
fn catalogue_files(path: &Path) -> Result<Vec<PathBuf>, String> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found =
        entries(path).map_err(|error| format!("catalogue: {}: {error}", path.display()))?;
    found.retain(|path| is_yaml(path));
    Ok(found)
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
