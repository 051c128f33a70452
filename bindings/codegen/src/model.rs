//! The table as the generators see it: operations with fields and kinds of values, read from their JSON Schemas.

use std::collections::{BTreeMap, BTreeSet};

use folkmoot_engine::operations::{OPERATIONS, Operation};
use serde_json::{Map, Value};

/// Names that more than one noun would use: they always carry their noun.
const TOO_COMMON: &[&str] = &["Page", "Many", "Found", "Hit", "Stats", "Versions", "List", "Listed"];

/// The noun whose operations stand on the hub itself.
pub const HUB: &str = "hub";

/// Fields that say who acts: an agent's handle fills them in where they are required, or go with a token.
const ACTORS: &[&str] = &["agent_id", "sender_id", "creator_id", "source_agent"];

/// What the data of events is, by kind, or by noun where all kinds of it agree. Other data has no record.
const DATA: &[(&str, &str)] = &[
    ("activity.completed", "Activity"),
    ("activity.recorded", "Activity"),
    ("agent.joined", "AgentView"),
    ("agent.left", "AgentView"),
    ("agent.status_changed", "AgentView"),
    ("agent.updated", "AgentView"),
    ("memory.deleted", "Entry"),
    ("memory.updated", "Entry"),
    ("message", "Message"),
    ("presence.updated", "Presence"),
    ("task", "Task"),
];

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Any JSON value.
    Any,
    Text,
    Time,
    Whole,
    Number,
    Truth,
    Null,
    /// One of these words.
    Words(Vec<String>),
    List(Box<Kind>),
    /// An object with keys of the user's.
    Map(Box<Kind>),
    /// An object with named fields.
    Record(String),
    Either(Vec<Kind>),
}

impl Kind {
    /// Whether null may stand here.
    pub fn may_be_null(&self) -> bool {
        match self {
            Kind::Any | Kind::Null => true,
            Kind::Either(kinds) => kinds.iter().any(Kind::may_be_null),
            _ => false,
        }
    }

    /// This kind without null.
    pub fn without_null(&self) -> Kind {
        let Kind::Either(kinds) = self else { return self.clone() };
        let rest: Vec<Kind> = kinds.iter().filter(|kind| **kind != Kind::Null).cloned().collect();
        match <[Kind; 1]>::try_from(rest) {
            Ok([only]) => only,
            Err(rest) => Kind::Either(rest),
        }
    }
}

/// A field of an input or a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    pub name: String,
    pub kind: Kind,
    pub doc: String,
    pub required: bool,
}

/// An object with named fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub doc: String,
    pub fields: Vec<Field>,
}

/// An operation with its input and answer.
pub struct Row {
    pub operation: &'static Operation,
    /// Required fields first, in the order of their declaration; then the others by name.
    pub input: Vec<Field>,
    pub answer: Kind,
}

impl Row {
    /// Whether it takes the token of a claim.
    pub fn takes_token(&self) -> bool {
        self.input.iter().any(|field| field.name == "token")
    }

    /// The field that says who acts, where an agent's handle fills it in.
    pub fn actor(&self) -> Option<&Field> {
        let filled = |field: &&Field| field.required || self.takes_token();
        self.input.iter().filter(filled).find(|field| ACTORS.contains(&field.name.as_str()))
    }

    /// What its answer is, in a sentence.
    pub fn answer_doc<'a>(&self, table: &'a Table) -> Option<&'a str> {
        match self.answer.without_null() {
            Kind::Record(name) => table.records.get(&name).map(|record| record.doc.as_str()),
            _ => None,
        }
    }
}

/// The whole table.
#[derive(Default)]
pub struct Table {
    pub rows: Vec<Row>,
    /// What stands in answers.
    pub records: BTreeMap<String, Record>,
    /// What stands in inputs.
    pub inputs: BTreeMap<String, Record>,
}

impl Table {
    pub fn read() -> Table {
        let mut table = Table::default();
        for operation in OPERATIONS {
            let input = Value::from((operation.input_schema)());
            let mut reader = Reader::new(operation, &input);
            let fields = reader.fields(&input);
            table.inputs.extend(reader.records);
            let output = Value::from((operation.output_schema)());
            let mut reader = Reader::new(operation, &output);
            let answer = reader.root(&output);
            for (name, record) in reader.records {
                let known = table.records.insert(name.clone(), record.clone());
                assert!(
                    known.is_none_or(|known| known == record),
                    "two records are called {name}; add it to TOO_COMMON in model.rs"
                );
            }
            table.rows.push(Row { operation, input: fields, answer });
        }
        table
    }

    /// The nouns, in the order of the table.
    pub fn nouns(&self) -> Vec<&'static str> {
        let mut seen = BTreeSet::new();
        self.rows.iter().map(|row| row.operation.noun()).filter(|noun| seen.insert(*noun)).collect()
    }

    /// The records that stand in the data of events, by kind or noun.
    pub fn event_data(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        DATA.iter().copied().filter(|(_, record)| self.records.contains_key(*record))
    }

    /// The operations of a noun.
    pub fn of<'a>(&'a self, noun: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.operation.noun() == noun)
    }
}

/// `AgentView` of `agent` and `view`.
pub fn camel(words: &str) -> String {
    words
        .split(['_', '.'])
        .map(|word| {
            let mut letters = word.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}

/// Reads the schemas of one operation.
struct Reader<'a> {
    noun: &'static str,
    definitions: Option<&'a Map<String, Value>>,
    records: BTreeMap<String, Record>,
}

impl<'a> Reader<'a> {
    fn new(operation: &'static Operation, root: &'a Value) -> Reader<'a> {
        let definitions = root.get("$defs").and_then(Value::as_object);
        Reader { noun: operation.noun(), definitions, records: BTreeMap::new() }
    }

    fn name(&self, name: &str) -> String {
        if TOO_COMMON.contains(&name) { camel(self.noun) + name } else { name.to_owned() }
    }

    fn root(&mut self, schema: &Value) -> Kind {
        match schema.get("title").and_then(Value::as_str) {
            Some(title) if schema.get("properties").is_some() => self.record(title, schema),
            _ => self.kind(schema),
        }
    }

    fn record(&mut self, name: &str, schema: &Value) -> Kind {
        let name = self.name(name);
        if !self.records.contains_key(&name) {
            let doc = text(schema, "description");
            self.records.insert(name.clone(), Record { doc: doc.clone(), fields: Vec::new() });
            let fields = self.fields(schema);
            self.records.insert(name.clone(), Record { doc, fields });
        }
        Kind::Record(name)
    }

    fn fields(&mut self, schema: &Value) -> Vec<Field> {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return Vec::new() };
        let required: Vec<&str> = items(schema, "required").iter().filter_map(Value::as_str).collect();
        let place = |name: &str| required.iter().position(|known| *known == name).unwrap_or(usize::MAX);
        let mut fields: Vec<Field> = properties
            .iter()
            .map(|(name, schema)| Field {
                name: name.clone(),
                kind: self.kind(schema),
                doc: text(schema, "description"),
                required: required.contains(&name.as_str()),
            })
            .collect();
        fields.sort_by_key(|field| place(&field.name));
        fields
    }

    fn kind(&mut self, schema: &Value) -> Kind {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            return match self.definitions.and_then(|definitions| definitions.get(name)) {
                Some(target) if target.get("properties").is_some() => self.record(name, target),
                Some(target) => self.kind(target),
                None => Kind::Any,
            };
        }
        let choices = [items(schema, "anyOf"), items(schema, "oneOf")].concat();
        if !choices.is_empty() {
            return either(choices.iter().map(|choice| self.kind(choice)).collect());
        }
        if let Some(word) = schema.get("const").and_then(Value::as_str) {
            return Kind::Words(vec![word.to_owned()]);
        }
        let words: Vec<String> =
            items(schema, "enum").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        if !words.is_empty() {
            return Kind::Words(words);
        }
        match schema.get("type") {
            Some(Value::String(name)) => self.named(name, schema),
            Some(Value::Array(names)) => {
                either(names.iter().filter_map(Value::as_str).map(|name| self.named(name, schema)).collect())
            }
            _ => Kind::Any,
        }
    }

    fn named(&mut self, name: &str, schema: &Value) -> Kind {
        match name {
            "string" if schema.get("format").is_some_and(|format| format == "date-time") => Kind::Time,
            "string" => Kind::Text,
            "integer" => Kind::Whole,
            "number" => Kind::Number,
            "boolean" => Kind::Truth,
            "null" => Kind::Null,
            "array" => Kind::List(Box::new(schema.get("items").map_or(Kind::Any, |items| self.kind(items)))),
            _ => Kind::Map(Box::new(
                schema.get("additionalProperties").map_or(Kind::Any, |values| self.kind(values)),
            )),
        }
    }
}

fn items<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text(schema: &Value, name: &str) -> String {
    schema.get(name).and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

/// One kind of several, with words gathered.
fn either(kinds: Vec<Kind>) -> Kind {
    let mut words = Vec::new();
    let mut rest = Vec::new();
    for kind in kinds {
        match kind {
            Kind::Words(more) => words.extend(more),
            Kind::Either(more) => rest.extend(more),
            kind => rest.push(kind),
        }
    }
    if !words.is_empty() {
        rest.insert(0, Kind::Words(words));
    }
    match <[Kind; 1]>::try_from(rest) {
        Ok([only]) => only,
        Err(rest) => Kind::Either(rest),
    }
}
