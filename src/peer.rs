//! Where a connection comes from; set by the listener, read by the control API.

use std::net::IpAddr;

/// `None` on a transport that is local by nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub Option<IpAddr>);

impl Peer {
    pub fn is_local(self) -> bool {
        self.0.is_none_or(|address| address.to_canonical().is_loopback())
    }
}
