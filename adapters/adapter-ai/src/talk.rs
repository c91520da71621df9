//! One task from its question to the answer that counts: tools, repairs, other providers, budgets.

use serde_json::{Value as Json, json};
use worker_api::{Answer, BpmnError, Failure, File, Outcome, TaskContext, TaskError, TopicCall, Value};

use crate::conversation::{Ended, Own, Part, Question, Reply, Turn, Usage};
use crate::inputs::Inputs;
use crate::material::{self, BYTES_A_TOKEN, Context};
use crate::provider::{Provider, Unanswered};
use crate::settings::Budgets;
use crate::spending::Purse;
use crate::tools::Tools;

/// The BPMN error of a budget that is used up.
pub(crate) const BUDGET_EXCEEDED: &str = "AI_BUDGET_EXCEEDED";

/// The BPMN error of an answer that does not fit its schema.
pub(crate) const INVALID_OUTPUT: &str = "AI_INVALID_OUTPUT";

/// The BPMN error of a model that refuses.
pub(crate) const REFUSED: &str = "AI_REFUSED";

/// How often an answer is sent back to be mended.
const REPAIRS: usize = 2;

/// Characters of an answer that a message repeats.
const EXCERPT: usize = 200;

/// A task's conversation.
pub(crate) struct Talk<'a> {
    context: &'a TaskContext,
    inputs: &'a Inputs,
    /// The provider that is asked, and those in its place after it.
    providers: Vec<&'a Provider>,
    /// The name of the first of them: the task's `model` is one of its models.
    meant: &'a str,
    schema: Option<Json>,
    left_out: Vec<String>,
    turns: Vec<Turn>,
    tools: Tools,
    usage: Usage,
    /// None where something was used that has no price.
    cost: Option<f64>,
    /// The models that were asked, for the transcript.
    asked: Vec<Json>,
}

impl<'a> Talk<'a> {
    /// The conversation as it begins.
    pub(crate) async fn begin(
        context: &'a TaskContext,
        inputs: &'a Inputs,
        providers: Vec<&'a Provider>,
    ) -> Result<Self, Failure> {
        let tools = Tools::read(&inputs.tools, context)?;
        let Context { text, left_out } = material::context(&inputs.context, inputs.context_tokens);
        let mut parts = Vec::new();
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        let api = providers.first().map(|provider| provider.api);
        if let Some(api) = api {
            parts.extend(material::files(&inputs.files, api, context).await?);
        }
        parts.push(Part::Text(prompt(inputs, context).await?));
        Ok(Self {
            schema: schema(inputs)?,
            context,
            inputs,
            meant: providers.first().map_or("", |provider| provider.name.as_str()),
            providers,
            left_out,
            turns: vec![Turn::User(parts)],
            tools,
            usage: Usage::default(),
            cost: Some(0.0),
            asked: Vec::new(),
        })
    }

    /// Goes on until there is an answer that counts.
    pub(crate) async fn run(mut self) -> Outcome {
        let mut repairs = 0;
        loop {
            let reply = self.ask().await?;
            if let Ended::Refused(said) = &reply.ended {
                let message = format!("the model {} refuses to answer: {said}", reply.model);
                return Err(self.error(REFUSED, message).into());
            }
            if !reply.calls.is_empty() {
                self.call_tools(&reply).await?;
                continue;
            }
            let Some(schema) = self.schema.clone() else {
                return Ok(self.answer(&reply, reply.text.as_str().into()));
            };
            let problem = match parsed(&reply.text) {
                Err(problem) => problem,
                Ok(value) => match self.problems(&value, &schema, repairs).await? {
                    None => return Ok(self.answer(&reply, value)),
                    Some(problems) => problems,
                },
            };
            if repairs == REPAIRS || reply.ended == Ended::CutOff {
                let cut = match reply.ended {
                    Ended::CutOff => ", and is cut off at max_output_tokens",
                    _ => "",
                };
                let message = format!("the model's answer does not fit the schema{cut}: {problem}");
                return Err(self
                    .error(INVALID_OUTPUT, message)
                    .with("ai_response", reply.text)
                    .into());
            }
            repairs += 1;
            self.turns.push(Turn::User(vec![Part::Text(format!(
                "This answer cannot be used: {problem}. Answer again, with JSON that fits the schema and nothing else: {schema}"
            ))]));
        }
    }

    /// Asks the provider, or those in its place, until one answers.
    async fn ask(&mut self) -> Result<Reply, TaskError> {
        let mut first = None;
        for index in 0..self.providers.len() {
            let provider = self.providers[index];
            let model = match &self.inputs.model {
                Some(model) if provider.name == self.meant => Some(model),
                _ => provider.settings.default_model.as_ref(),
            };
            let outcome = match model {
                Some(model) => self.ask_one(provider, model).await,
                None => Err(Unanswered {
                    error: Failure::permanent(format!(
                        "the task names no model, and {}.default_model is not set",
                        provider.place()
                    ))
                    .into(),
                    elsewhere: false,
                    nothing_done: true,
                }),
            };
            match outcome {
                Ok(reply) => {
                    // Who has answered is asked on.
                    self.providers.drain(..index);
                    return Ok(reply);
                }
                Err(unanswered) if !unanswered.elsewhere => return Err(unanswered.error),
                Err(unanswered) => {
                    if index + 1 < self.providers.len() {
                        tracing::warn!(
                            task.id = self.context.task.id,
                            provider = provider.name,
                            error = %unanswered.error,
                            "another provider is asked"
                        );
                    }
                    first = first.or(Some(unanswered.error));
                }
            }
        }
        // What is wrong with the one that was meant says most.
        Err(first.unwrap_or_else(|| Failure::permanent("there is no provider to ask").into()))
    }

    async fn ask_one(&mut self, provider: &Provider, model: &str) -> Result<Reply, Unanswered> {
        let stop = |error: TaskError| Unanswered {
            error,
            elsewhere: false,
            nothing_done: true,
        };
        let wanted = self.inputs.max_output_tokens;
        let max_tokens = wanted.unwrap_or(provider.settings.max_output_tokens).get();
        let input_tokens = self.input_tokens();
        let budgets = self.budgets(provider);
        let is_limited = [budgets.task, budgets.instance, budgets.day]
            .iter()
            .any(Option::is_some);
        let price = provider.settings.price(model);
        let reserved = match price {
            Some(price) => {
                let purse = Purse {
                    budgets,
                    instance: &self.context.task.process_instance_id,
                    spent: self.cost.unwrap_or_default(),
                };
                let reserved = provider.accounts.reserve(&purse, price, input_tokens, max_tokens);
                Some(reserved.map_err(|exceeded| {
                    let message = format!(
                        "the {} budget of {} is used up: {:.6} of {} are spent, and the question alone is about {input_tokens} tokens",
                        exceeded.whose, provider.name, exceeded.spent, exceeded.budget
                    );
                    stop(self.error(BUDGET_EXCEEDED, message).into())
                })?)
            }
            None if is_limited => {
                return Err(stop(
                    Failure::permanent(format!(
                        "a budget limits what the model {model} may cost, and it has no price: set {}.prices.{model}",
                        provider.place()
                    ))
                    .into(),
                ));
            }
            None => None,
        };
        let question = Question {
            model,
            system: self.inputs.system.as_deref(),
            turns: &self.turns,
            schema: self.schema.as_ref(),
            tools: &self.tools.descriptions,
            max_tokens: reserved.as_ref().map_or(max_tokens, |one| one.max_tokens),
            temperature: self.inputs.temperature,
        };
        let tokens = input_tokens + u64::from(question.max_tokens);
        let reply = match provider.ask(&question, tokens).await {
            Ok(reply) => reply,
            Err(unanswered) => {
                if unanswered.nothing_done
                    && let Some(reserved) = reserved
                {
                    reserved.free();
                }
                return Err(unanswered);
            }
        };
        // Where a provider does not tell, the estimate counts.
        let usage = reply.usage.unwrap_or_else(|| Usage {
            input: input_tokens,
            output: reply.text.len().div_ceil(BYTES_A_TOKEN) as u64,
        });
        self.usage += usage;
        self.cost = match (self.cost, reserved) {
            (Some(cost), Some(reserved)) => Some(cost + reserved.used(usage)),
            _ => None,
        };
        self.asked.push(json!({
            "provider": provider.name, "model": reply.model,
            "input_tokens": usage.input, "output_tokens": usage.output,
        }));
        self.turns.push(Turn::Model {
            text: reply.text.clone(),
            calls: reply.calls.clone(),
            own: Own {
                provider: provider.name.clone(),
                items: reply.own.clone(),
            },
        });
        Ok(reply)
    }

    async fn call_tools(&mut self, reply: &Reply) -> Result<(), TaskError> {
        if self.tools.calls + reply.calls.len() > self.inputs.max_tool_calls {
            return Err(Failure::permanent(format!(
                "the model has called tools {} times and wants to go on: raise max_tool_calls, or ask for less at once",
                self.tools.calls
            ))
            .into());
        }
        let mut results = Vec::new();
        for call in &reply.calls {
            results.push(self.tools.call(call, self.context).await?);
        }
        self.turns.push(Turn::Results(results));
        Ok(())
    }

    /// What is wrong with an answer, as the task `input_validation` says.
    async fn problems(&self, value: &Json, schema: &Json, times: usize) -> Result<Option<String>, TaskError> {
        let inputs = [
            ("value".to_owned(), Value::Json(value.clone())),
            ("schema".to_owned(), Value::Json(schema.clone())),
            ("on_invalid".to_owned(), "report".into()),
        ];
        let call = TopicCall::new("input_validation", format!("check-{times}")).inputs(inputs.into());
        let outcome = self.context.processes().call_topic(self.context, call).await;
        let fields = outcome.map_err(Failure::from)??.into_fields();
        if fields.get("valid") == Some(&Value::Boolean(true)) {
            return Ok(None);
        }
        let errors = fields.get("errors").map_or(Json::Null, Value::to_json);
        let errors: Vec<String> = errors
            .as_array()
            .into_iter()
            .flatten()
            .take(10)
            .map(|error| {
                let (path, message) = (&error["path"], &error["message"]);
                format!(
                    "{} {}",
                    path.as_str().filter(|path| !path.is_empty()).unwrap_or("it"),
                    message.as_str().unwrap_or_default()
                )
            })
            .collect();
        Ok(Some(errors.join("; ")))
    }

    fn answer(&self, reply: &Reply, mut value: Json) -> Answer {
        let mut confidence = None;
        if self.inputs.review_below.is_some() {
            confidence = value["confidence"].as_f64();
            value = value["answer"].take();
        }
        let needs_review = self
            .inputs
            .review_below
            .is_some_and(|least| confidence.is_none_or(|sure| sure < least));
        let provider = self
            .providers
            .first()
            .map_or("", |provider| provider.name.as_str());
        let total = self.usage.input + self.usage.output;
        let count = |tokens: u64| Value::Integer(i64::try_from(tokens).unwrap_or(i64::MAX));
        let number = |number: Option<f64>| number.map_or(Value::Null, Value::Double);
        Answer::new()
            .with("ai_response", value)
            .with("tokens_used", count(total))
            .with("input_tokens", count(self.usage.input))
            .with("output_tokens", count(self.usage.output))
            .with("model_used", reply.model.as_str())
            .with("provider_used", provider)
            .with("cost", number(self.cost))
            .with("complete", reply.ended == Ended::Whole)
            .with("tool_calls", count(self.tools.calls as u64))
            .with("context_left_out", Json::from(self.left_out.clone()))
            .with("confidence", number(confidence))
            .with("needs_review", needs_review)
            .with("transcript", self.transcript())
    }

    /// A BPMN error that tells what was used, and what was said.
    fn error(&self, code: &str, message: String) -> BpmnError {
        let total = self.usage.input + self.usage.output;
        BpmnError::new(code, message)
            .with(
                "tokens_used",
                Value::Integer(i64::try_from(total).unwrap_or(i64::MAX)),
            )
            .with("cost", self.cost.map_or(Value::Null, Value::Double))
            .with("transcript", self.transcript())
    }

    fn transcript(&self) -> Value {
        let transcript = json!({
            "system": self.inputs.system,
            "turns": self.turns.iter().map(Turn::shown).collect::<Vec<_>>(),
            "asked": self.asked,
            "cost": self.cost,
        });
        Value::File(File {
            name: "transcript.json".to_owned(),
            media_type: Some("application/json".to_owned()),
            encoding: Some("utf-8".to_owned()),
            content: format!("{transcript:#}").into_bytes().into(),
        })
    }

    fn budgets(&self, provider: &Provider) -> Budgets {
        let configured = provider.settings.budgets;
        let task = match (configured.task, self.inputs.budget) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Budgets { task, ..configured }
    }

    /// About how many tokens the next question has.
    fn input_tokens(&self) -> u64 {
        let system = self.inputs.system.as_ref().map_or(0, String::len);
        let turns: usize = self.turns.iter().map(Turn::bytes).sum();
        let schema = self.schema.as_ref().map_or(0, |schema| schema.to_string().len());
        let tools: usize = self
            .tools
            .descriptions
            .iter()
            .map(|tool| tool.inputs.to_string().len() + tool.description.len())
            .sum();
        (system + turns + schema + tools).div_ceil(BYTES_A_TOKEN) as u64
    }
}

/// What the model is asked: the input, or the deployed file.
async fn prompt(inputs: &Inputs, context: &TaskContext) -> Result<String, Failure> {
    let path = match (&inputs.prompt, &inputs.prompt_path) {
        (Some(prompt), None) => return Ok(prompt.clone()),
        (None, Some(path)) => path,
        _ => {
            return Err(Failure::permanent(
                "say what the model is asked: in the input `prompt`, or in a file that `prompt_path` names",
            ));
        }
    };
    let found = context.processes().resource(context, path).await?;
    let bytes = found.ok_or_else(|| {
        Failure::permanent(format!(
            "the input `prompt_path`: no file {path} was deployed with the process; deploy it in the model's folder"
        ))
    })?;
    String::from_utf8(bytes.into())
        .map_err(|_| Failure::permanent(format!("the input `prompt_path`: {path} is no text in UTF-8")))
}

/// The schema that answers have to fit: the task's own, and around it one that says how sure the model is.
fn schema(inputs: &Inputs) -> Result<Option<Json>, Failure> {
    let own = match &inputs.output_schema {
        Json::Null => None,
        schema @ Json::Object(_) => Some(schema.clone()),
        _ => {
            return Err(Failure::permanent(
                "the input `output_schema` is no JSON Schema: write an object such as {\"type\": \"object\"}",
            ));
        }
    };
    Ok(match inputs.review_below {
        None => own,
        Some(_) => Some(json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["answer", "confidence"],
            "properties": {
                "answer": own.unwrap_or_else(|| json!({"type": "string"})),
                "confidence": {
                    "type": "number", "minimum": 0, "maximum": 1,
                    "description": "How sure you are that the answer is right, from 0 (a guess) to 1 (certain)",
                },
            },
        })),
    })
}

/// An answer's JSON, which some models put between fences.
fn parsed(text: &str) -> Result<Json, String> {
    let trimmed = text.trim();
    let inner = trimmed
        .strip_prefix("```json")
        .or_else(|| trimmed.strip_prefix("```"))
        .and_then(|rest| rest.strip_suffix("```"))
        .unwrap_or(trimmed);
    serde_json::from_str(inner.trim()).map_err(|error| {
        let begin: String = text.chars().take(EXCERPT).collect();
        format!("it is no JSON ({error}): {begin}")
    })
}
