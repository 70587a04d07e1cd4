//! The module exports the allocator of the C library, in which Rust's own has its memory on this target.

fn main() {
    for function in ["malloc", "free"] {
        println!("cargo:rustc-cdylib-link-arg=--export={function}");
    }
}
