//! A raw policy. The API server sends none such, so it is asked as those do who have other things to judge.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::outcome::{Failure, Outcome, same};
use crate::world::World;

pub(super) async fn a_raw_request_is_judged_and_changed(world: &mut World) -> Outcome {
    let server = world.direct(&world.authorities.0)?;
    let ask = async |request: Value| {
        let answer = server
            .post("/validate_raw/raw", &json!({ "request": request }))
            .await?;
        Ok::<_, Failure>(answer.succeeded("a raw review")?.body["response"].clone())
    };
    let refusal = ask(json!({ "user": "bob", "action": "read", "resource": "ledger" })).await?;
    same("the verdict", &refusal["allowed"], &json!(false))?;
    same(
        "the message",
        &refusal["status"]["message"],
        &json!("bob may not read ledger"),
    )?;
    same("the code", &refusal["status"]["code"], &json!(403))?;
    let accepted = ask(json!({ "user": "alice", "action": "read", "resource": "ledger" })).await?;
    same("the verdict", &accepted["allowed"], &json!(true))?;
    same("the patch", &accepted["patch"], &Value::Null)?;
    let changed = ask(json!({ "user": "alice", "resource": "ledger" })).await?;
    let patch = BASE64_STANDARD.decode(changed["patch"].as_str().unwrap_or_default());
    let patch: Value = serde_json::from_slice(&patch.unwrap_or_default()).unwrap_or_default();
    let expected = json!([{ "op": "add", "path": "/action", "value": "read" }]);
    same("the patch", &patch, &expected)
}
