//! The procedures of upstream's agent 0.5.0, all that a board of type `generic` registers.

/// How a method's answer gets back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// As the call's result.
    Now,
    /// As the call's result, or by `notify_result` when the request belongs to a larger one.
    LaterInGroups,
    /// By `notify_result`.
    Later,
}

macro_rules! methods {
    ($($name:ident $pace:ident,)*) => {
        /// A procedure, by upstream's name.
        #[allow(non_camel_case_types, reason = "upstream's names")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Method { $($name,)* }

        impl Method {
            /// All of them.
            pub(super) const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name on the wire.
            pub(super) fn word(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }

            /// How its answer gets back.
            pub(super) fn pace(self) -> Pace {
                match self { $(Self::$name => Pace::$pace,)* }
            }
        }
    };
}

methods! {
    DevicePing LaterInGroups,
    DeviceEcho LaterInGroups,
    DeviceReboot Now,
    DeviceRestartLR Now,
    DeviceNetConfig LaterInGroups,
    DeviceUpgradeLR Later,
    DevicePkgOperation Later,
    DeviceMountFs LaterInGroups,
    DeviceFactoryReset LaterInGroups,
    DeviceRestSubmit LaterInGroups,
    PluginInject LaterInGroups,
    PluginCall Now,
    PluginStart Now,
    PluginStop Now,
    PluginStatus Now,
    PluginReboot Now,
    PluginRemove Now,
    ServiceEnable Now,
    ServiceDisable Now,
    ServiceRestore Now,
    ServicesStatus Now,
    Create_VIF Now,
    Configure_VIF Now,
    Remove_VIF Now,
    EnableWebService Now,
    DisableWebService Now,
    ExposeWebservice Now,
    UnexposeWebservice Now,
    RenewWebservice Now,
    NginxInfo Now,
    NginxStatus Now,
    NginxReload Now,
    NginxRestart Now,
    NginxIotronicConf Now,
    hello Now,
    plug_and_play Now,
    changeConf Now,
    destroyNode Now,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_as_upstream_registers() {
        assert_eq!(Method::ALL.len(), 38);
    }
}
