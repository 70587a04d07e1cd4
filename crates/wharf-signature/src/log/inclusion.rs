//! From an entry to the root of the tree that it is in (RFC 9162, section 2.1.3.2).

use super::sha256;

/// The hash of an entry.
pub(super) fn leaf(body: &[u8]) -> [u8; 32] {
    sha256(&[&[0], body].concat())
}

fn node(left: &[u8], right: &[u8]) -> [u8; 32] {
    sha256(&[&[1], left, right].concat())
}

/// The root of a tree of this size that has this leaf at this place. None where there are not as many hashes as such a
/// tree needs.
pub(super) fn root(leaf: [u8; 32], index: u64, tree_size: u64, hashes: &[Vec<u8>]) -> Option<[u8; 32]> {
    let mut last = tree_size.checked_sub(1)?;
    let mut index = (index <= last).then_some(index)?;
    let mut root = leaf;
    for hash in hashes {
        if last == 0 || hash.len() != 32 {
            return None;
        }
        if index & 1 == 1 || index == last {
            root = node(hash, &root);
            // A node at the right edge goes up to where it has a left sibling.
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            root = node(&root, hash);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root of a whole tree and the hashes that lead there from one of its leaves.
    fn tree(leaves: &[[u8; 32]], index: usize) -> ([u8; 32], Vec<Vec<u8>>) {
        if let [only] = leaves {
            return (*only, Vec::new());
        }
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        let (root_left, path_left) = tree(left, index.min(half - 1));
        let (root_right, path_right) = tree(right, index.saturating_sub(half));
        let mut path = if index < half { path_left } else { path_right };
        path.push(if index < half { root_right } else { root_left }.to_vec());
        (node(&root_left, &root_right), path)
    }

    #[test]
    fn every_leaf_of_every_small_tree_leads_to_its_root() {
        for size in 1..40_usize {
            let leaves: Vec<_> = (0..size)
                .map(|leaf_index| leaf(&leaf_index.to_be_bytes()))
                .collect();
            for index in 0..size {
                let (expected, path) = tree(&leaves, index);
                let at = |index: usize, size: usize, path: &[Vec<u8>]| {
                    root(leaves[index], index as u64, size as u64, path)
                };
                assert_eq!(at(index, size, &path), Some(expected), "{index} of {size}");
                assert_ne!(
                    root(leaf(b"other"), index as u64, size as u64, &path),
                    Some(expected)
                );
                let (short, long) = (
                    path.get(1..).unwrap_or_default(),
                    [path.clone(), vec![vec![0; 32]]].concat(),
                );
                assert!(path.is_empty() || at(index, size, short) != Some(expected));
                assert_ne!(at(index, size, &long), Some(expected));
                if size > 1 {
                    let elsewhere = (index + 1) % size;
                    assert_ne!(
                        root(leaves[index], elsewhere as u64, size as u64, &path),
                        Some(expected)
                    );
                }
            }
        }
        assert_eq!(root([0; 32], 0, 0, &[]), None);
        assert_eq!(root([0; 32], 1, 1, &[]), None);
        assert_eq!(root([0; 32], u64::MAX, u64::MAX, &[]), None);
        assert_eq!(root([0; 32], 0, 2, &[vec![0; 31]]), None);
    }
}
