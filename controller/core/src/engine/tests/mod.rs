mod api;
mod drift;
mod driver;
mod failures;
mod guard;
mod leadership;
mod life;
mod quota;
