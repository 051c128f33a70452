//! JSON text to Python objects, straight from the reader.

use std::fmt;

use folkmoot_engine::Error;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::to_python;
use crate::shape::{Class, Shape};

type Object<'py> = Bound<'py, PyAny>;

/// Reads JSON text into objects of this shape.
pub fn read<'py>(py: Python<'py>, text: &[u8], shape: &Shape) -> PyResult<Object<'py>> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    Reader { py, shape }
        .deserialize(&mut reader)
        .map_err(|error| to_python(py, &Error::internal(format!("an answer could not be read: {error}"))))
}

struct Reader<'a, 'py> {
    py: Python<'py>,
    shape: &'a Shape,
}

fn failed<E: de::Error>(error: impl fmt::Display) -> E {
    E::custom(error)
}

impl<'de, 'py> DeserializeSeed<'de> for Reader<'_, 'py> {
    type Value = Object<'py>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Object<'py>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, 'py> Visitor<'de> for Reader<'_, 'py> {
    type Value = Object<'py>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Object<'py>, E> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Object<'py>, E> {
        value.into_bound_py_any(self.py).map_err(failed)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Object<'py>, E> {
        value.into_bound_py_any(self.py).map_err(failed)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Object<'py>, E> {
        value.into_bound_py_any(self.py).map_err(failed)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Object<'py>, E> {
        value.into_bound_py_any(self.py).map_err(failed)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Object<'py>, E> {
        Ok(PyString::new(self.py, value).into_any())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Object<'py>, A::Error> {
        let shape = match self.shape {
            Shape::List(shape) => shape,
            Shape::Records(_) => self.shape,
            _ => &Shape::Plain,
        };
        let list = PyList::empty(self.py);
        while let Some(item) = items.next_element_seed(Reader { py: self.py, shape })? {
            list.append(item).map_err(failed)?;
        }
        Ok(list.into_any())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Object<'py>, A::Error> {
        let py = self.py;
        let object = match self.shape {
            Shape::Class(class) => class.class.bind(py).call0().map_err(failed)?,
            Shape::Event(event) => event.class.class.bind(py).call0().map_err(failed)?,
            Shape::Records(class) => class.bind(py).call0().map_err(failed)?,
            Shape::Plain | Shape::List(_) | Shape::Map(_) => PyDict::new(py).into_any(),
        };
        let dict = object.cast::<PyDict>().map_err(failed)?;
        let mut data = None;
        while let Some((name, shape)) = entries.next_key_seed(Name { py, shape: self.shape })? {
            let Shape::Event(event) = self.shape else {
                let value = entries.next_value_seed(Reader { py, shape })?;
                dict.set_item(name, value).map_err(failed)?;
                continue;
            };
            // An event says its kind before its data.
            let is_data = name.to_cow().is_ok_and(|name| name == "data");
            let shape = if is_data { data.unwrap_or(&event.other_data) } else { shape };
            let value = entries.next_value_seed(Reader { py, shape })?;
            if name.to_cow().is_ok_and(|name| name == "kind") {
                let kind = value.cast::<PyString>().map_err(failed)?.to_cow().map_err(failed)?;
                data = Some(event.data_of(&kind));
            }
            dict.set_item(name, value).map_err(failed)?;
        }
        Ok(object)
    }
}

/// Reads a key of an object; gives it with the shape of its value.
struct Name<'a, 'py> {
    py: Python<'py>,
    shape: &'a Shape,
}

impl<'de, 'a, 'py> DeserializeSeed<'de> for Name<'a, 'py> {
    type Value = (Bound<'py, PyString>, &'a Shape);

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a, 'py> Visitor<'_> for Name<'a, 'py> {
    type Value = (Bound<'py, PyString>, &'a Shape);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let plain = |shape| (PyString::new(self.py, name), shape);
        let of_class = |class: &'a Class| match class.fields.get(name) {
            Some((name, shape)) => (name.bind(self.py).clone(), shape),
            None => plain(&Shape::Plain),
        };
        Ok(match self.shape {
            Shape::Class(class) => of_class(class),
            Shape::Event(event) => of_class(&event.class),
            Shape::Records(_) => plain(self.shape),
            Shape::Map(values) => plain(values),
            Shape::Plain | Shape::List(_) => plain(&Shape::Plain),
        })
    }
}
