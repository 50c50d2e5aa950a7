//! Mounts inside mounts: where a container with the volume of a profile might not start, or not find what is in it.
//!
//! The outer mount comes first (containerd sorts them by depth, `internal/cri/opts.orderedMounts`), and the inner one needs a mount
//! point in it. Into a writable volume the container runtime makes one. Into a projection, a Secret, a ConfigMap or a
//! downward API volume it cannot, for they are read-only; there the kubelet has made one before
//! (`pkg/volume/util.MakeNestedMountpoints`): a folder, at whose place no file of the volume appears any more and on which
//! no single file can be mounted. Into any other read-only volume nobody makes one.

use super::{
    draft::Seat,
    pod::{Mount, Spec},
    profile::Profile,
    why::or_decline,
};

/// What the author of a pod should know of the mounts around that of a profile and inside it, as sentences.
pub(super) fn nested(profile: &Profile, seat: &Seat<'_>, spec: &Spec<'_>) -> Vec<String> {
    let (place, container) = (&*profile.volume.mount_path, &seat.container.name);
    let mounts = || seat.container.volume_mounts.iter().flatten();
    let told = |what: String| {
        format!(
            "profile \"{}\": container \"{container}\" mounts {what}{}",
            profile.name,
            or_decline(profile)
        )
    };
    let within = mounts().filter_map(|mount| {
        let Mount { name, path, .. } = mount;
        let first = below(path, place)?.split('/').next();
        let mut files = profile.files();
        if let Some(file) = files.find(|file| file.split('/').next() == first) {
            Some(told(format!(
                "volume \"{name}\" at {path}, in front of the file {file} of the profile; mount it elsewhere"
            )))
        } else if mount.is_whole() {
            None
        } else {
            Some(told(format!(
                "a part of volume \"{name}\" at {path}, inside {place}: if that is a file, it does not start; mount it elsewhere"
            )))
        }
    });
    let around = mounts()
        .filter(|mount| below(place, &mount.path).is_some())
        .max_by_key(|mount| mount.path.trim_end_matches('/').len());
    let around = around.filter(|mount| {
        // The volume of another profile that is nearer is a projection.
        let nearer =
            |path: &str| below(place, path).is_some() && below(path, &mount.path).is_some();
        !seat.mounts.iter().any(|added| nearer(added.path)) && !spec.has_mount_points(mount)
    });
    let around = around.map(|Mount { name, path, .. }| {
        told(format!(
            "volume \"{name}\" read-only at {path}, around {place}: without a folder there it does not start; mount it \
             elsewhere or writable"
        ))
    });
    within.chain(around).collect()
}

/// What of a path is below a folder, if it is there.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(folder.trim_end_matches('/'))?;
    let rest = rest.strip_prefix('/')?.trim_matches('/');
    (!rest.is_empty()).then_some(rest)
}
