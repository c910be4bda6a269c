//! Files that only their owner may read: the ledger and its copies.

use crate::lasting::sync_name;
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Spend is nobody else's business: 0600 whatever the umask.
pub(super) fn create_private(path: &Path) -> std::io::Result<()> {
    let is_new = !path.exists();
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    if is_new { sync_name(path) } else { Ok(()) }
}
