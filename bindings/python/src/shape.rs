//! Which Python class each part of an answer becomes.
//!
//! The generated module `folkmoot.types` says it for every operation. What is the user's own JSON stays plain dicts and
//! lists; what the engine says becomes records, so that `task.title` works.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyString, PyType};

/// What a part of an answer becomes.
#[derive(Clone)]
pub enum Shape {
    /// Plain dicts and lists.
    Plain,
    /// Records throughout.
    Records(Arc<Py<PyType>>),
    /// A record of a class of its own.
    Class(Arc<Class>),
    /// An event, whose data is of the shape that its kind says.
    Event(Arc<EventShape>),
    /// A list of these.
    List(Arc<Shape>),
    /// A dict with keys of the user's and values of this shape.
    Map(Arc<Shape>),
}

/// A class of records: its fields have their names ready as Python strings.
pub struct Class {
    pub class: Py<PyType>,
    pub fields: HashMap<Box<str>, (Py<PyString>, Shape)>,
}

/// What an event becomes.
pub struct EventShape {
    pub class: Arc<Class>,
    /// By kind (`memory.updated`) or by noun (`task`).
    pub data: HashMap<String, Shape>,
    pub other_data: Shape,
}

impl EventShape {
    /// What the data of an event of this kind becomes.
    pub fn data_of(&self, kind: &str) -> &Shape {
        let noun = kind.split_once('.').map_or(kind, |(noun, _)| noun);
        self.data.get(kind).or_else(|| self.data.get(noun)).unwrap_or(&self.other_data)
    }
}

static ANSWERS: PyOnceLock<HashMap<String, Shape>> = PyOnceLock::new();
static EVENT: PyOnceLock<Shape> = PyOnceLock::new();
static UPDATE: PyOnceLock<Shape> = PyOnceLock::new();

/// The shape of an operation's answer.
pub fn of_answer<'a>(py: Python<'a>, operation: &str) -> PyResult<&'a Shape> {
    let answers = ANSWERS.get_or_try_init(py, || {
        let answers = py.import("folkmoot.types")?.getattr("ANSWERS")?.cast_into::<PyDict>()?;
        let mut known = Known::new(py)?;
        answers
            .iter()
            .map(|(name, shape)| Ok((name.extract()?, known.shape(&shape)?)))
            .collect::<PyResult<_>>()
    })?;
    Ok(answers.get(operation).unwrap_or(&Shape::Plain))
}

/// The shape of an event.
pub fn of_event(py: Python<'_>) -> PyResult<&Shape> {
    EVENT.get_or_try_init(py, || {
        let class = py.import("folkmoot._records")?.getattr("Event")?;
        Known::new(py)?.shape(&class)
    })
}

/// The shape of what a followed task tells.
pub fn of_update(py: Python<'_>) -> PyResult<&Shape> {
    UPDATE.get_or_try_init(py, || {
        let class = py.import("folkmoot._execution")?.getattr("Update")?;
        Known::new(py)?.shape(&class)
    })
}

/// The classes that were looked at, each once.
struct Known<'py> {
    record: Bound<'py, PyType>,
    classes: HashMap<String, Arc<Class>>,
    event: Option<Shape>,
    /// Classes that are being looked at: inside themselves they are plain records.
    begun: HashSet<String>,
}

impl<'py> Known<'py> {
    fn new(py: Python<'py>) -> PyResult<Known<'py>> {
        let record = py.import("folkmoot._records")?.getattr("Record")?.cast_into::<PyType>()?;
        Ok(Known { record, classes: HashMap::new(), event: None, begun: HashSet::new() })
    }

    /// A class, `[shape]` for a list, `{"*": shape}` for a map, anything else for the user's own JSON.
    fn shape(&mut self, given: &Bound<'py, PyAny>) -> PyResult<Shape> {
        if let Ok(list) = given.cast::<PyList>() {
            return Ok(Shape::List(Arc::new(self.shape(&list.get_item(0)?)?)));
        }
        if let Ok(map) = given.cast::<PyDict>() {
            let values = map.get_item("*")?;
            return values.map_or(Ok(Shape::Plain), |values| Ok(Shape::Map(Arc::new(self.shape(&values)?))));
        }
        match given.cast::<PyType>() {
            Ok(class) if class.is(&self.record) => Ok(self.records()),
            Ok(class) if class.name()? == "Event" => self.event(class),
            Ok(class) => self.class(class),
            Err(_) => Ok(Shape::Plain),
        }
    }

    fn records(&self) -> Shape {
        Shape::Records(Arc::new(self.record.clone().unbind()))
    }

    fn class(&mut self, class: &Bound<'py, PyType>) -> PyResult<Shape> {
        let name: String = class.name()?.extract()?;
        if let Some(known) = self.classes.get(&name) {
            return Ok(Shape::Class(known.clone()));
        }
        if !self.begun.insert(name.clone()) {
            return Ok(self.records());
        }
        let fields = class.getattr("_shape")?.cast_into::<PyDict>()?;
        let fields = fields
            .iter()
            .map(|(name, shape)| {
                let name = name.cast_into::<PyString>()?;
                Ok((name.to_cow()?.into(), (name.clone().unbind(), self.shape(&shape)?)))
            })
            .collect::<PyResult<_>>()?;
        let shape = Arc::new(Class { class: class.clone().unbind(), fields });
        self.classes.insert(name, shape.clone());
        Ok(Shape::Class(shape))
    }

    fn event(&mut self, class: &Bound<'py, PyType>) -> PyResult<Shape> {
        if let Some(known) = &self.event {
            return Ok(known.clone());
        }
        let Shape::Class(shape) = self.class(class)? else { return Ok(self.records()) };
        let data = class.py().import("folkmoot.types")?.getattr("DATA")?.cast_into::<PyDict>()?;
        let data = data.iter().map(|(kind, shape)| Ok((kind.extract()?, self.shape(&shape)?)));
        let data = data.collect::<PyResult<_>>()?;
        let event = Shape::Event(Arc::new(EventShape { class: shape, data, other_data: self.records() }));
        self.event = Some(event.clone());
        Ok(event)
    }
}
