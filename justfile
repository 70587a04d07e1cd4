# The chores, by short names. `just` alone lists them; `.ci/run` does without it.

_list:
    @just --list --unsorted

# All tests
test:
    cargo test --workspace

# Formatting, lints and documentation, all as errors
lint:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Layers, sizes, words, links, generated files
tidy:
    cargo xtask tidy

# Write what is generated
docs:
    cargo xtask docs
    UPDATE_EXPECT=1 cargo test -p wharf-config --test it generated

# Rebuild the guests whose toolchains are here
guests:
    cargo xtask guests

# The engine's benchmarks
bench:
    cargo bench -p wharf-engine

# The admission server before the cluster that KUBECONFIG names
e2e-kubernetes *arguments:
    cargo build -p wharf
    cargo run -p wharf-conformance-kubernetes -- {{arguments}}

# Licences, bans and advisories (cargo install --locked cargo-deny)
deny:
    cargo deny check

# The quickstart
serve:
    cargo run --release -- serve examples/quickstart/wharf.yaml

# All that is checked before a change is taken
ci:
    .ci/run
