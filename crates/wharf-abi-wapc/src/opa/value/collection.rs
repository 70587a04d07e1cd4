//! Objects and sets, as sorted lists: policies have many small ones, of which a tree would cost a kilobyte each.

use super::Value;

/// Fields in the order of their keys, which may be any values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Object {
    fields: Vec<(Value, Value)>,
}

impl Object {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn get(&self, key: &Value) -> Option<&Value> {
        self.place(key).ok().map(|at| &self.fields[at].1)
    }

    pub(crate) fn get_mut(&mut self, key: &Value) -> Option<&mut Value> {
        self.place(key).ok().map(|at| &mut self.fields[at].1)
    }

    /// Puts a field in its place, or another value into it. It costs a move of the fields behind it; where there are many
    /// to be added, [`Object::from_iter`] costs less.
    pub(crate) fn insert(&mut self, key: Value, value: Value) {
        match self.place(&key) {
            Ok(at) => self.fields[at].1 = value,
            Err(at) => self.fields.insert(at, (key, value)),
        }
    }

    pub(crate) fn remove(&mut self, key: &Value) -> Option<Value> {
        self.place(key).ok().map(|at| self.fields.remove(at).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.fields.iter().map(|(key, value)| (key, value))
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &Value> {
        self.fields.iter().map(|(key, _)| key)
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    fn place(&self, key: &Value) -> Result<usize, usize> {
        self.fields.binary_search_by(|(known, _)| known.cmp(key))
    }
}

/// Of fields with one key the last counts.
impl FromIterator<(Value, Value)> for Object {
    fn from_iter<I: IntoIterator<Item = (Value, Value)>>(fields: I) -> Self {
        let mut fields: Vec<_> = fields.into_iter().collect();
        fields.sort_by(|(one, _), (other, _)| one.cmp(other));
        fields.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(&mut later.1, &mut kept.1);
            }
            same
        });
        fields.shrink_to_fit();
        Self { fields }
    }
}

impl IntoIterator for Object {
    type Item = (Value, Value);
    type IntoIter = std::vec::IntoIter<(Value, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.fields.into_iter()
    }
}

/// Values in their order, each once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Set {
    elements: Vec<Value>,
}

impl Set {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.elements.len()
    }

    pub(crate) fn contains(&self, element: &Value) -> bool {
        self.elements.binary_search(element).is_ok()
    }

    pub(crate) fn get(&self, element: &Value) -> Option<&Value> {
        self.elements
            .binary_search(element)
            .ok()
            .map(|at| &self.elements[at])
    }

    /// Puts a value in its place. It costs a move of those behind it; where there are many to be added,
    /// [`Set::from_iter`] costs less.
    pub(crate) fn insert(&mut self, element: Value) {
        if let Err(at) = self.elements.binary_search(&element) {
            self.elements.insert(at, element);
        }
    }

    /// Takes a value out.
    pub(crate) fn take(&mut self, element: &Value) -> Option<Value> {
        let at = self.elements.binary_search(element).ok()?;
        Some(self.elements.remove(at))
    }

    pub(crate) fn is_subset(&self, other: &Self) -> bool {
        self.elements.iter().all(|element| other.contains(element))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.elements.iter()
    }
}

impl FromIterator<Value> for Set {
    fn from_iter<I: IntoIterator<Item = Value>>(elements: I) -> Self {
        let mut elements: Vec<_> = elements.into_iter().collect();
        elements.sort();
        elements.dedup();
        elements.shrink_to_fit();
        Self { elements }
    }
}

impl IntoIterator for Set {
    type Item = Value;
    type IntoIter = std::vec::IntoIter<Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.elements.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: i64) -> Value {
        Value::from(number)
    }

    #[test]
    fn the_last_of_several_fields_counts() {
        let fields = [(3, 1), (1, 1), (3, 2), (2, 1), (3, 3), (1, 2)];
        let mut object: Object = fields
            .map(|(key, value)| (number(key), number(value)))
            .into_iter()
            .collect();
        let shown = |object: &Object| Value::Object(object.clone()).to_term();
        assert_eq!(shown(&object), "{1:2,2:1,3:3}");
        object.insert(number(2), number(7));
        object.insert(number(0), number(0));
        assert_eq!(
            (object.remove(&number(1)), object.remove(&number(1))),
            (Some(number(2)), None)
        );
        assert_eq!((shown(&object).as_str(), object.len()), ("{0:0,2:7,3:3}", 3));
        assert_eq!(object.get(&number(2)), Some(&number(7)));
        *object.get_mut(&number(2)).unwrap() = Value::Null;
        assert_eq!(shown(&object), "{0:0,2:null,3:3}");
    }

    #[test]
    fn a_set_has_each_value_once() {
        let mut set: Set = [2, 1, 2, 3].map(number).into_iter().collect();
        set.insert(number(2));
        set.insert(number(0));
        assert_eq!(
            (set.take(&number(3)), set.take(&number(3))),
            (Some(number(3)), None)
        );
        assert_eq!(Value::Set(set.clone()).to_term(), "{0,1,2}");
        assert!(set.contains(&number(1)) && !set.contains(&number(3)) && set.get(&number(1)).is_some());
        let small: Set = [number(1)].into_iter().collect();
        assert!(small.is_subset(&set) && !set.is_subset(&small) && Set::new().is_subset(&small));
    }
}
