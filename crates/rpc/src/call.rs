//! Every call to a board, in one list: its method name, its arguments on the wire, whether it changes something, and whether
//! it may be repeated. The compiler holds the list against its handlers: the real board and the simulated one match on it.

use crate::{Fault, Request, device, forward, logs, plugin, service, terminal};
use model::plugin::OnBoot;
use model::{Kind, OperationId, PluginId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::future::Future;
use std::str::FromStr;

/// What a call does to the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// Looks only: sent at once, recorded behind, never repeated by itself.
    Query,
    /// Changes something and may be repeated with the same effect.
    Idempotent,
    /// Changes something and must run at most once.
    Once,
}

macro_rules! calls {
    ($($(#[$doc:meta])* $name:ident $(($arguments:ty))? : $nature:ident,)*) => {
        /// A call with its arguments.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Call { $($(#[$doc])* $name $(($arguments))?,)* }

        /// The name of a call, as on the wire.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Method { $($(#[$doc])* $name,)* }

        impl Method {
            /// Every method, in the order of the list.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The last part of the procedure.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// What it does to the board.
            #[must_use]
            pub fn nature(self) -> Nature {
                match self { $(Self::$name => Nature::$nature,)* }
            }
        }

        impl Call {
            /// Its name.
            #[must_use]
            pub fn method(&self) -> Method {
                match self { $(calls!(@pattern $name $(($arguments))?) => Method::$name,)* }
            }
        }
    };
    (@pattern $name:ident ($arguments:ty)) => { Self::$name(_) };
    (@pattern $name:ident) => { Self::$name };
}

calls! {
    /// Answers the board's clock.
    DevicePing: Query,
    /// Answers what was said.
    DeviceEcho(device::Echo): Query,
    /// Runs the configured reboot command after a delay.
    DeviceReboot(device::Delay): Once,
    /// Restarts the agent after a delay.
    DeviceRestartLR(device::Delay): Once,
    /// Answers the network interfaces, a list of [`device::Interface`].
    DeviceNetConfig: Query,
    /// Upgrades the agent by the board's own command, and restarts it.
    DeviceUpgradeLR(device::Upgrade): Once,
    /// Runs a package manager.
    DevicePkgOperation(device::PackageOperation): Once,
    /// Mounts the root file system otherwise, or tells how it is mounted.
    DeviceMountFs(device::Mount): Once,
    /// Submits a request to something near the board, and answers its JSON.
    DeviceRestSubmit(Box<device::RestSubmission>): Once,
    /// Makes the board forget plugins, services and who it is.
    DeviceFactoryReset: Once,
    /// Makes the board change its key, and answers the new one's fingerprint.
    DeviceRotateKey: Idempotent,
    /// Answers lines of the agent's log, [`logs::Lines`].
    DeviceLogs(logs::Read): Query,
    /// Puts a plugin on the board, or a newer revision of it.
    PluginInject(Box<plugin::Inject>): Idempotent,
    /// Takes a plugin off the board, stopped first.
    PluginRemove(PluginId): Idempotent,
    /// Runs a synchronous plugin and answers its result.
    PluginCall(plugin::Run): Once,
    /// Starts an asynchronous plugin.
    PluginStart(plugin::Run): Once,
    /// Stops an asynchronous plugin.
    PluginStop(plugin::Stop): Idempotent,
    /// Stops and starts an asynchronous plugin.
    PluginReboot(plugin::Run): Once,
    /// Answers what a plugin is doing, [`plugin::Status`].
    PluginStatus(PluginId): Query,
    /// Answers lines of a plugin's output, [`logs::Lines`].
    PluginLogs(PluginLogs): Query,
    /// Enters a service into the board's table and makes it reachable.
    ServiceEnable(service::Enable): Idempotent,
    /// Takes a service out of the board's table and cuts its connections.
    ServiceDisable(service::Service): Idempotent,
    /// Enters a service again and renews its link.
    ServiceRestore(service::Enable): Idempotent,
    /// Answers the board's table, a list of [`service::Status`].
    ServicesStatus: Query,
    /// Makes a terminal ready and answers the key of its channel, [`terminal::Opened`].
    TerminalOpen(terminal::Open): Query,
    /// Lets a port of the board be reached by channels with the key that it answers, [`forward::Opened`].
    ForwardOpen(forward::Open): Query,
    /// Asks the board to stop an operation that it is working on.
    OperationCancel(OperationId): Query,
    /// Tells the board that rights of an epoch before this are void, and answers the epoch that counts there.
    RightsEpoch(u32): Query,
}

/// `PluginLogs`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLogs {
    /// Whose lines.
    pub plugin: PluginId,
    /// From where.
    pub read: logs::Read,
}

/// A board, real or simulated, seen from the control channel.
pub trait Board: Send + Sync + 'static {
    /// Does what is asked. The value becomes the `message` of a SUCCESS envelope.
    fn handle(
        &self,
        request: Request,
        call: Call,
    ) -> impl Future<Output = Result<Value, Fault>> + Send;
}

impl FromStr for Method {
    type Err = Fault;
    fn from_str(text: &str) -> Result<Self, Fault> {
        Self::ALL.iter().copied().find(|method| method.word() == text).ok_or_else(|| {
            Fault::new(
                Kind::NotFound,
                format!("this board has no method {text:?}; update its agent"),
            )
        })
    }
}

impl Call {
    /// The positional arguments after the request object, in upstream's order.
    #[must_use]
    pub fn arguments(&self) -> Vec<Value> {
        match self {
            Self::DevicePing
            | Self::DeviceNetConfig
            | Self::DeviceFactoryReset
            | Self::DeviceRotateKey => vec![json!({})],
            Self::ServicesStatus => Vec::new(),
            Self::DeviceEcho(echo) => vec![json!(echo)],
            Self::DeviceReboot(delay) | Self::DeviceRestartLR(delay) => vec![json!(delay)],
            Self::DeviceUpgradeLR(upgrade) => vec![json!(upgrade)],
            Self::DevicePkgOperation(operation) => vec![json!(operation)],
            Self::DeviceMountFs(mount) => vec![json!(mount)],
            Self::DeviceRestSubmit(submission) => vec![json!(submission)],
            Self::DeviceLogs(read) => vec![json!(read)],
            Self::PluginInject(inject) => {
                vec![json!(inject.plugin), json!(inject.on_boot == OnBoot::Start)]
            }
            Self::PluginRemove(plugin) | Self::PluginStatus(plugin) => vec![json!(plugin)],
            Self::PluginCall(run) | Self::PluginStart(run) | Self::PluginReboot(run) => {
                vec![json!(run.plugin), run.parameters.clone()]
            }
            Self::PluginStop(stop) => vec![json!(stop.plugin), json!({ "delay": stop.delay })],
            Self::PluginLogs(logs) => vec![json!(logs.plugin), json!(logs.read)],
            Self::ServiceEnable(enable) | Self::ServiceRestore(enable) => {
                vec![json!(enable.service), json!(enable.public_port)]
            }
            Self::ServiceDisable(service) => vec![json!(service)],
            Self::TerminalOpen(open) => vec![json!(open)],
            Self::ForwardOpen(open) => vec![json!(open)],
            Self::OperationCancel(operation) => vec![json!(operation)],
            Self::RightsEpoch(epoch) => vec![json!(epoch)],
        }
    }

    /// Reads the positional arguments after the request object.
    ///
    /// # Errors
    /// An argument is missing or has the wrong shape; the fault names its position.
    pub fn parse(method: Method, arguments: &[Value]) -> Result<Self, Fault> {
        let a = Arguments(arguments);
        Ok(match method {
            Method::DevicePing => Self::DevicePing,
            Method::DeviceNetConfig => Self::DeviceNetConfig,
            Method::ServicesStatus => Self::ServicesStatus,
            Method::DeviceEcho => Self::DeviceEcho(a.at(0)?),
            Method::DeviceReboot => Self::DeviceReboot(a.at_or_default(0)?),
            Method::DeviceRestartLR => Self::DeviceRestartLR(a.at_or_default(0)?),
            Method::DeviceUpgradeLR => Self::DeviceUpgradeLR(a.at_or_default(0)?),
            Method::DevicePkgOperation => Self::DevicePkgOperation(a.at(0)?),
            Method::DeviceMountFs => Self::DeviceMountFs(a.at(0)?),
            Method::DeviceRestSubmit => Self::DeviceRestSubmit(Box::new(a.at(0)?)),
            Method::DeviceFactoryReset => Self::DeviceFactoryReset,
            Method::DeviceRotateKey => Self::DeviceRotateKey,
            Method::DeviceLogs => Self::DeviceLogs(a.at_or_default(0)?),
            Method::PluginInject => {
                let on_boot =
                    if a.at_or_default::<Loose>(1)?.0 { OnBoot::Start } else { OnBoot::Wait };
                Self::PluginInject(Box::new(plugin::Inject { plugin: a.at(0)?, on_boot }))
            }
            Method::PluginRemove => Self::PluginRemove(a.at(0)?),
            Method::PluginStatus => Self::PluginStatus(a.at(0)?),
            Method::PluginCall => Self::PluginCall(a.run()?),
            Method::PluginStart => Self::PluginStart(a.run()?),
            Method::PluginReboot => Self::PluginReboot(a.run()?),
            Method::PluginStop => {
                let delay = a.at_or_default::<StopDelay>(1)?.delay;
                Self::PluginStop(plugin::Stop { plugin: a.at(0)?, delay })
            }
            Method::PluginLogs => {
                Self::PluginLogs(PluginLogs { plugin: a.at(0)?, read: a.at_or_default(1)? })
            }
            Method::ServiceEnable => Self::ServiceEnable(a.enable()?),
            Method::ServiceRestore => Self::ServiceRestore(a.enable()?),
            Method::ServiceDisable => Self::ServiceDisable(a.at(0)?),
            Method::TerminalOpen => Self::TerminalOpen(a.at(0)?),
            Method::ForwardOpen => Self::ForwardOpen(a.at(0)?),
            Method::OperationCancel => Self::OperationCancel(a.at(0)?),
            Method::RightsEpoch => Self::RightsEpoch(a.at(0)?),
        })
    }
}

/// A boolean as upstream sends it: `true`, `"true"` or `"True"`.
#[derive(Default, Deserialize)]
#[serde(from = "Value")]
struct Loose(bool);

impl From<Value> for Loose {
    fn from(value: Value) -> Self {
        match value {
            Value::Bool(yes) => Self(yes),
            Value::String(text) => Self(text.eq_ignore_ascii_case("true")),
            _ => Self(false),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StopDelay {
    delay: u32,
}

struct Arguments<'a>(&'a [Value]);

impl Arguments<'_> {
    fn at<T: DeserializeOwned>(&self, index: usize) -> Result<T, Fault> {
        let value = self.0.get(index).ok_or_else(|| {
            Fault::new(Kind::Invalid, format!("argument {} is missing", index + 1))
        })?;
        T::deserialize(value).map_err(|error| {
            Fault::new(Kind::Invalid, format!("argument {} is wrong: {error}", index + 1))
        })
    }

    fn at_or_default<T: DeserializeOwned + Default>(&self, index: usize) -> Result<T, Fault> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(T::default()),
            Some(_) => self.at(index),
        }
    }

    fn run(&self) -> Result<plugin::Run, Fault> {
        Ok(plugin::Run {
            plugin: self.at(0)?,
            parameters: self.0.get(1).cloned().unwrap_or_default(),
        })
    }

    fn enable(&self) -> Result<service::Enable, Fault> {
        Ok(service::Enable { service: self.at(0)?, public_port: self.at(1)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::service::{Port, Protocol};
    use proptest::prelude::*;

    fn samples() -> Vec<Call> {
        let service = service::Service {
            uuid: model::ServiceId::new(),
            name: "ssh".parse().unwrap(),
            port: Port::try_from(22).unwrap(),
            protocol: Protocol::Tcp,
        };
        let enable = service::Enable {
            service: service.clone(),
            public_port: Port::try_from(20000).unwrap(),
        };
        let run = plugin::Run { plugin: PluginId::new(), parameters: json!({"x": [1, "\\\"\n"]}) };
        let plugin = plugin::Plugin {
            uuid: PluginId::new(),
            name: "hello".parse().unwrap(),
            code: "import os\n# \u{e9}\u{1f4a1} \\ \"'\n".into(),
            callable: true,
            language: model::plugin::Language::Node,
            revision: 3,
            parameters: json!({}),
            limits: plugin::Limits { wall_s: Some(1), ..Default::default() },
        };
        vec![
            Call::DevicePing,
            Call::DeviceEcho(device::Echo { say: "hi".into() }),
            Call::DeviceReboot(device::Delay { delay: 5 }),
            Call::DeviceRestartLR(device::Delay::default()),
            Call::DeviceNetConfig,
            Call::DeviceUpgradeLR(device::Upgrade { version: "1.2".into(), update_conf: true }),
            Call::DevicePkgOperation(device::PackageOperation {
                manager: "apt".into(),
                command: "install".into(),
                package: "vim".into(),
                ..Default::default()
            }),
            Call::DeviceMountFs(device::Mount { mnt_cmd: device::MountCommand::ReadOnly }),
            Call::DeviceRestSubmit(Box::new(device::RestSubmission(
                serde_json::from_value(json!({"url": "http://plug/", "method": "GET"})).unwrap(),
            ))),
            Call::DeviceFactoryReset,
            Call::DeviceRotateKey,
            Call::DeviceLogs(logs::Read { after: 7, limit: 3, wait_ms: 1 }),
            Call::PluginInject(Box::new(plugin::Inject { plugin, on_boot: OnBoot::Start })),
            Call::PluginRemove(run.plugin),
            Call::PluginCall(run.clone()),
            Call::PluginStart(run.clone()),
            Call::PluginStop(plugin::Stop { plugin: run.plugin, delay: 4 }),
            Call::PluginReboot(run.clone()),
            Call::PluginStatus(run.plugin),
            Call::PluginLogs(PluginLogs { plugin: run.plugin, read: logs::Read::default() }),
            Call::ServiceEnable(enable.clone()),
            Call::ServiceDisable(service),
            Call::ServiceRestore(enable),
            Call::ServicesStatus,
            Call::TerminalOpen(terminal::Open {
                size: terminal::Size { cols: 100, rows: 30 },
                mode: terminal::Mode::Pipe,
                command: Some("ls \"a b\"".into()),
            }),
            Call::ForwardOpen(forward::Open { port: Port::try_from(80).unwrap() }),
            Call::OperationCancel(OperationId::new()),
            Call::RightsEpoch(7),
        ]
    }

    #[test]
    fn every_method_has_a_sample_that_survives_the_wire() {
        let samples = samples();
        let methods: Vec<_> = samples.iter().map(Call::method).collect();
        assert_eq!(methods, Method::ALL);
        for call in samples {
            let method: Method = call.method().word().parse().unwrap();
            assert_eq!(Call::parse(method, &call.arguments()).unwrap(), call);
        }
    }

    #[test]
    fn wrong_arguments_are_named_by_position() {
        let fault = Call::parse(Method::ServiceEnable, &[json!({}), json!(1)]).unwrap_err();
        assert!(fault.message.starts_with("argument 1 is wrong"), "{fault}");
        let fault = Call::parse(Method::PluginCall, &[]).unwrap_err();
        assert_eq!((fault.kind, fault.message.as_str()), (Kind::Invalid, "argument 1 is missing"));
    }

    #[test]
    fn what_upstreams_clients_leave_out_or_write_as_text_is_understood() {
        let parse = |method, value| Call::parse(method, &[value]);
        let upgrade = |version: &str, update_conf| {
            Call::DeviceUpgradeLR(device::Upgrade { version: version.into(), update_conf })
        };
        for (value, wanted) in [
            (json!({}), upgrade("", false)),
            (json!({"version": null, "update_conf": ""}), upgrade("", false)),
            (json!({"version": "0.5.0", "update_conf": "true"}), upgrade("0.5.0", true)),
            (json!({"version": "latest", "more": 1}), upgrade("latest", false)),
        ] {
            assert_eq!(parse(Method::DeviceUpgradeLR, value).unwrap(), wanted);
        }
        for (method, value) in [
            (Method::DeviceUpgradeLR, json!({"version": 5})),
            (Method::DeviceUpgradeLR, json!({"update_conf": "perhaps"})),
            (Method::DevicePkgOperation, json!({"manager": ["apt"]})),
            (Method::DevicePkgOperation, json!("apt")),
            (Method::DeviceMountFs, json!({})),
            (Method::DeviceMountFs, json!({"mnt_cmd": "mount_rw; reboot"})),
            (Method::DeviceRestSubmit, json!([])),
        ] {
            assert_eq!(parse(method, value).unwrap_err().kind, Kind::Invalid, "{method:?}");
        }
    }

    proptest! {
        #[test]
        fn any_arguments_give_a_call_or_a_fault(which in 0usize..Method::ALL.len(), text in ".*", number: i64) {
            let method = Method::ALL[which];
            for value in [json!(text), json!(number), json!({ "uuid": text, "delay": number, "say": number }), json!([text])] {
                let _ = Call::parse(method, &[value.clone(), value]);
            }
        }
    }
}
