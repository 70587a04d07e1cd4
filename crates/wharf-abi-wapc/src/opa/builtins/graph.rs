//! Ways through graphs.

use super::{Builtin, Context, Failure, MOST_ELEMENTS, Operand, Outcome, set};
use crate::opa::value::{Object, Set, Value};

pub(super) const TABLE: &[Builtin] = &[Builtin {
    name: "graph.reachable_paths",
    arity: 2,
    run: reachable_paths,
}];

/// Each way from one of the first nodes to where it ends: at a node without edges, before one that is not in the graph,
/// or where it would come to a node again.
fn reachable_paths(context: &mut Context, arguments: &[Value]) -> Outcome {
    let graph = arguments[0].as_object()?;
    let mut paths = Paths {
        graph,
        found: Vec::new(),
        cells: 0,
    };
    for root in arguments[1].elements()? {
        let Some(edges) = graph.get(root) else { continue };
        let neighbours = neighbours(edges);
        if neighbours.is_empty() {
            paths.add(&[root])?;
        }
        for neighbour in neighbours {
            let mut reached: Set = [root.clone()].into_iter().collect();
            paths.follow(context, neighbour, &mut vec![root], &mut reached)?;
        }
    }
    Ok(set(paths.found))
}

struct Paths<'a> {
    graph: &'a Object,
    found: Vec<Value>,
    /// The nodes in all paths together.
    cells: usize,
}

impl<'a> Paths<'a> {
    /// Goes on to `node`. As in OPA, what is reached from it stays reached for its neighbours that come later, and where
    /// several neighbours were reached before, the way is given once for the first, twice in a row for the second.
    fn follow(
        &mut self,
        context: &mut Context,
        node: &'a Value,
        path: &mut Vec<&'a Value>,
        reached: &mut Set,
    ) -> Result<(), Failure> {
        context.step()?;
        // The way is as deep as this function is nested.
        if path.len() > 1_000 {
            return Err(Failure::Limit("a way through a graph has more than 1000 nodes"));
        }
        let Some(edges) = self.graph.get(node) else {
            return self.add(path);
        };
        path.push(node);
        let neighbours = neighbours(edges);
        if neighbours.is_empty() {
            self.add(path)?;
        }
        let mut repeated = Vec::new();
        for neighbour in neighbours {
            if reached.contains(neighbour) {
                repeated.extend_from_slice(path);
                self.add(&repeated)?;
            } else {
                reached.insert(node.clone());
                self.follow(context, neighbour, path, reached)?;
            }
        }
        path.pop();
        Ok(())
    }

    fn add(&mut self, path: &[&Value]) -> Result<(), Failure> {
        self.cells += path.len();
        if self.cells > MOST_ELEMENTS {
            return Err(Failure::Limit(
                "the ways through a graph have more than 100000 nodes together",
            ));
        }
        self.found
            .push(Value::Array(path.iter().copied().cloned().collect()));
        Ok(())
    }
}

fn neighbours(edges: &Value) -> Vec<&Value> {
    edges.elements().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{call, check};
    use super::*;

    #[test]
    fn ways_end_where_opa_ends_them() {
        check(&[
            (
                "graph.reachable_paths",
                r#"[{"a":["b"],"b":["c"],"c":[]},["a"]]"#,
                r#"{["a","b","c"]}"#,
            ),
            (
                "graph.reachable_paths",
                r#"[{"a":["b","c"],"b":{"d"},"c":["a"]},{"a"}]"#,
                r#"{["a","b"],["a","c"]}"#,
            ),
            (
                "graph.reachable_paths",
                r#"[{"a":[],"b":[]},["a","b","x"]]"#,
                r#"{["a"],["b"]}"#,
            ),
            (
                "graph.reachable_paths",
                r#"[{"a":["a"]},["a"]]"#,
                r#"{["a","a"]}"#,
            ),
            ("graph.reachable_paths", r#"[{"a":null},["a"]]"#, r#"{["a"]}"#),
            ("graph.reachable_paths", r#"[{},["a"]]"#, "set()"),
            ("graph.reachable_paths", r#"[[],["a"]]"#, "undefined"),
            ("graph.reachable_paths", r#"[{},"a"]"#, "undefined"),
        ]);
    }

    #[test]
    fn graphs_with_too_many_ways_are_refused() {
        let layers: Vec<String> = (0..30)
            .map(|layer| {
                let next: Vec<String> = (0..9).map(|node| format!("\"{}-{node}\"", layer + 1)).collect();
                let edges = next.join(",");
                (0..9)
                    .map(|node| format!("\"{layer}-{node}\":[{edges}]"))
                    .collect::<Vec<_>>()
                    .join(",")
            })
            .collect();
        let wide = call(
            "graph.reachable_paths",
            &format!("[{{{}}},[\"0-0\"]]", layers.join(",")),
        );
        assert!(matches!(wide, Err(Failure::Limit(_))), "{wide:?}");
        let chain: Vec<String> = (0..5_000).map(|node| format!("{node}:[{}]", node + 1)).collect();
        let long = call("graph.reachable_paths", &format!("[{{{}}},[0]]", chain.join(",")));
        assert!(matches!(long, Err(Failure::Limit(_))), "{long:?}");
    }
}
