//! The PodNetwork custom resource.
