//! `motey ps`: the instances of all services, one a line.

use serde::Deserialize;
use serde_json::Value;

use super::find;
use crate::api::Instance;
use crate::args::Shown;
use crate::exit::Failure;
use crate::output::{self, Row};
use crate::session::Session;

/// An instance with the names of what it belongs to.
#[derive(Deserialize)]
struct Placed {
    service_name: String,
    #[serde(flatten)]
    instance: Instance,
}

pub async fn list(session: &mut Session, shown: Shown) -> Result<(), Failure> {
    let instances = instances(&find::services(session).await?);
    output::list::<Placed>(&mut session.out, shown.output, "GET /v1/service", &instances)
}

/// Every instance as the daemon said it, with the service and the image that it belongs to.
fn instances(services: &Value) -> Value {
    let each = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let mut all = Vec::new();
    for service in services.as_array().into_iter().flatten() {
        for image in each(service, "images") {
            for mut instance in each(&image, "instances") {
                if let Value::Object(fields) = &mut instance {
                    fields.insert("service".to_owned(), service["id"].clone());
                    fields.insert("service_name".to_owned(), service["service_name"].clone());
                    fields.insert("image".to_owned(), image["key"].clone());
                }
                all.push(instance);
            }
        }
    }
    Value::Array(all)
}

impl Row for Placed {
    const HEAD: &'static [&'static str] = &["SERVICE", "SLOT", "STATE", "RESTARTS", "ENGINE", "INSTANCE"];
    const WIDE: &'static [&'static str] = &["PID", "NODE", "FENCE", "REASON", "MESSAGE"];

    fn cells(&self) -> Vec<String> {
        let Self { service_name, instance } = self;
        vec![
            service_name.clone(),
            instance.slot.clone(),
            instance.state.clone(),
            instance.restarts.to_string(),
            instance.engine.clone().unwrap_or_default(),
            instance.name.clone().unwrap_or_default(),
        ]
    }

    fn more(&self) -> Vec<String> {
        let Instance { pid, node, fence, reason, state_message, .. } = &self.instance;
        let pid = pid.map(|pid| pid.to_string());
        [&pid, node, fence, reason, state_message].map(|value| value.clone().unwrap_or_default()).into()
    }

    fn name(&self) -> String {
        self.instance.name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Format;

    #[test]
    fn instances_of_all_services_are_listed_with_their_service() {
        let instance = |slot: &str, name: Option<&str>, state: &str| serde_json::json!({"slot": slot, "name": name, "state": state, "restarts": 1, "engine": "process", "pid": name.map(|_| 4711)});
        let services = serde_json::json!([
            {"id": "1", "service_name": "a", "images": [
                {"key": "x", "instances": [instance("x/0", Some("a-x-0-1"), "RUNNING"), instance("x/1", None, "INITIAL")]},
            ]},
            {"id": "2", "service_name": "b", "images": [{"key": "y", "instances": []}]},
        ]);
        let shown = |format| {
            let mut out = Vec::new();
            output::list::<Placed>(&mut out, format, "", &instances(&services)).expect("shown");
            String::from_utf8(out).expect("text")
        };
        insta::assert_snapshot!(shown(Format::Table), @r"
        SERVICE  SLOT  STATE    RESTARTS  ENGINE   INSTANCE
        a        x/0   RUNNING  1         process  a-x-0-1
        a        x/1   INITIAL  1         process  -
        ");
        insta::assert_snapshot!(shown(Format::Wide), @"SERVICE  SLOT  STATE    RESTARTS  ENGINE   INSTANCE  PID   NODE  FENCE  REASON  MESSAGE
a        x/0   RUNNING  1         process  a-x-0-1   4711  -     -      -       -
a        x/1   INITIAL  1         process  -         -     -     -      -       -");
        assert_eq!(shown(Format::Name), "a-x-0-1\nx/1\n");
        assert_eq!(instances(&services)[1]["service"], "1");
    }
}
