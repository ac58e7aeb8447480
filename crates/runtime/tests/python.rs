//! What only Python plugins can do: upstream's plugin shapes, and the packages installed on the board.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod support;

use runtime::{Cancel, Language, Order, Status, Stopped};
use serde_json::{Value, json};
use support::{PATIENCE, Source, World};

fn python(source: &'static str) -> Source {
    Source { python: source, node: "" }
}

const UPSTREAM_CALL: Source = Source {
    python: "\
from iotronic_lightningrod.modules.plugins import Plugin
from iotronic_lightningrod.modules.plugins import pluginApis as API
from oslo_log import log as logging
LOG = logging.getLogger(__name__)

class Worker(Plugin.Plugin):
    def __init__(self, uuid, name, q_result, params=None):
        super(Worker, self).__init__(uuid, name, q_result, params)

    def run(self):
        LOG.info('parameters: %s', self.params)
        LOG.info(self.params)
        self.q_result.put([self.uuid, self.name, self.params['name'], API.getBoardID()])
        LOG.info('completed')
",
    node: "",
};

const UPSTREAM_SERVICE: Source = Source {
    python: "\
from iotronic_lightningrod.plugins import Plugin
import time

class Worker(Plugin.Plugin):
    def __init__(self, uuid, name, q_result=None, params=None):
        super(Worker, self).__init__(uuid, name, q_result, params)

    def run(self):
        while self._is_running:
            print(self.checkStatus(), self.params['message'])
            time.sleep(0.01)
        print('tidied up')
",
    node: "",
};

#[tokio::test]
async fn an_upstream_synchronous_plugin_runs_unchanged() {
    let world = World::new(Language::Python);
    world.install("one", UPSTREAM_CALL).await;
    let order =
        Order { params: json!({"name": "S4T"}), context: json!({"uuid": "b-1"}), limits: None };
    let result = world.runtime.call("one", order, &Cancel::new()).await;
    assert_eq!(result, Ok(json!(["one", "lamp", "S4T", "b-1"])));
    let texts = world.texts("one").await;
    let logged = |text: &str| texts.iter().any(|line| line == text);
    assert!(logged("INFO parameters: {'name': 'S4T'}") && logged("INFO completed"), "{texts:?}");
}

#[tokio::test]
async fn an_upstream_asynchronous_plugin_stops_in_order() {
    let world = World::new(Language::Python);
    world.install("one", UPSTREAM_SERVICE).await;
    let order = Order { params: json!({"message": "hello"}), ..Order::default() };
    let status = world.runtime.start("one", order).await.unwrap();
    assert!(matches!(status, Status::Running { .. }));
    world.line_with("one", "INITED hello").await;
    assert_eq!(world.runtime.stop("one", PATIENCE).await, Ok(Stopped::InOrder));
    assert!(world.texts("one").await.contains(&"tidied up".to_owned()));
}

#[tokio::test]
async fn a_worker_that_gives_no_result_is_told_so() {
    let world = World::new(Language::Python);
    let source = python(
        "from iotronic_lightningrod.modules.plugins import Plugin\nclass Worker(Plugin.Plugin):\n    def run(self): pass\n",
    );
    let failure = world.call(source, Value::Null).await.unwrap_err();
    assert!(failure.to_string().contains("q_result"), "{failure}");
}

#[tokio::test]
async fn every_shape_of_main_is_called_with_what_it_accepts() {
    let world = World::new(Language::Python);
    let shapes = [
        ("def main(): return 'none'", json!("none")),
        ("def main(params): return params", json!(3)),
        ("def main(params, api): return [params, api.getBoardID()]", json!([3, null])),
        ("def main(name, params, api): return [name, params]", json!(["lamp", 3])),
        ("async def main(params): return params + 1", json!(4)),
        ("main = lambda params: params", json!(3)),
    ];
    for (source, expected) in shapes {
        assert_eq!(world.call(python(source), json!(3)).await, Ok(expected), "{source}");
    }
}

#[tokio::test]
async fn a_plugin_of_the_2_x_agents_finds_its_api() {
    let world = World::new(Language::Python);
    let source = "import plugin_apis
def main(name, params, api):
    log = api.getLogger(name)
    log.info('says %s', params['says'])
    return [name, params['says'], api.getExtraInfo(), plugin_apis.getExtraInfo(), api.getPosition()['latitude']]
";
    let answer = world.call(python(source), json!({"says": "hey"})).await;
    assert_eq!(answer, Ok(json!(["lamp", "hey", "NA", "NA", null])));
}

#[tokio::test]
async fn exit_handlers_run_and_threads_left_behind_do_not_block() {
    let world = World::new(Language::Python);
    let source = python(
        "import atexit, threading, time\natexit.register(lambda: print('pins released'))\ndef main(p):\n    threading.Thread(target=time.sleep, args=(600,)).start()\n    return 1\n",
    );
    assert_eq!(world.call(source, Value::Null).await, Ok(json!(1)));
    assert!(world.texts("one").await.contains(&"pins released".to_owned()));
}

#[tokio::test]
async fn a_forked_child_cannot_answer_for_its_parent() {
    let world = World::new(Language::Python);
    let source = python(
        "import os\ndef main(p):\n    child = os.fork()\n    if child == 0: return 'child'\n    os.waitpid(child, 0)\n    return 'parent'\n",
    );
    assert_eq!(world.call(source, Value::Null).await, Ok(json!("parent")));
}

#[tokio::test]
async fn a_missing_module_is_named() {
    let world = World::new(Language::Python);
    let failure = world.call(python("import no_such_module"), Value::Null).await.unwrap_err();
    assert!(
        failure.to_string().contains("ModuleNotFoundError: No module named 'no_such_module'"),
        "{failure}"
    );
}

#[tokio::test]
async fn installed_packages_are_on_the_path() {
    let world = World::new(Language::Python);
    let source = python(
        "import sys\ndef main(p):\n    try: import no_such_module\n    except ImportError: pass\n    return any('-packages' in entry for entry in sys.path)\n",
    );
    assert_eq!(world.call(source, Value::Null).await, Ok(json!(true)));
}

#[tokio::test]
async fn a_plugin_that_exits_early_says_its_code() {
    let world = World::new(Language::Python);
    let failure = world.call(python("import sys\nsys.exit(3)"), Value::Null).await.unwrap_err();
    assert!(failure.to_string().contains("exit code 3"), "{failure}");
    let failure = world.call(python("import sys\nsys.exit('no pins')"), Value::Null).await;
    assert!(failure.unwrap_err().to_string().contains("no pins"));
}

#[tokio::test]
async fn deep_and_huge_values_do_not_break_the_agent() {
    let world = World::new(Language::Python);
    let deep = "def main(p):\n    v = 1\n    for _ in range(500): v = [v]\n    return v\n";
    assert_eq!(world.call(python(deep), Value::Null).await.unwrap_err().label(), "not_json");
    let huge = "def main(p):\n    return 10 ** 400\n";
    assert_eq!(world.call(python(huge), Value::Null).await.unwrap_err().label(), "not_json");
    let lone = "def main(p):\n    return chr(0xd800)\n";
    assert_eq!(world.call(python(lone), Value::Null).await.unwrap_err().label(), "not_json");
}

#[tokio::test]
async fn garbage_on_the_channel_is_an_error_of_the_plugin() {
    let world = World::new(Language::Python);
    let source = python(
        "import os, time\ndef main(p):\n    os.write(3, b'\\0\\0\\0\\x05hello')\n    time.sleep(60)\n",
    );
    assert_eq!(world.call(source, Value::Null).await.unwrap_err().label(), "not_json");
    let source = python(
        "import os, time\ndef main(p):\n    os.write(3, b'\\xff' * 100)\n    time.sleep(60)\n",
    );
    assert_eq!(world.call(source, Value::Null).await.unwrap_err().label(), "output");
}

#[tokio::test]
async fn a_plugin_that_closes_the_channel_gives_no_result() {
    let world = World::new(Language::Python);
    let source = python("import os\ndef main(p):\n    os.close(3)\n    os._exit(0)\n");
    assert_eq!(world.call(source, Value::Null).await.unwrap_err().label(), "no_result");
}
