mod driver;
mod life;
