// Every text of the pages in English; its shape is the one that other languages fill in.
const many = (count: number, one: string, more: string): string =>
  `${new Intl.NumberFormat('en-GB').format(count)} ${count === 1 ? one : more}`;

export const en = {
  common: {
    cancel: 'Cancel', close: 'Close', save: 'Save', create: 'Create', edit: 'Edit', delete: 'Delete', retry: 'Try again', undo: 'Undo',
    copied: 'Copied', copy: (what: string) => `Copy ${what}`, name: 'Name', description: 'Description', state: 'State', none: 'None',
    all: 'All', actions: 'Actions', loading: 'Loading', more: 'More', search: 'Search', back: 'Back', created: 'Created', updated: 'Updated',
    open: 'Open', skip: 'Skip to content', optional: 'optional', unsaved: 'What you changed is not saved. Leave all the same?',
    typeName: (name: string) => `Type ${name} to confirm`, id: 'Id', seconds: 'seconds', yes: 'Yes', no: 'No', notAllowed: 'Your role in this project does not allow this.',
    nameHint: 'Letters, digits and - . _ ~',
  },
  nav: {
    label: 'Main', overview: 'Overview', boards: 'Boards', plugins: 'Plugins', services: 'Services', fleets: 'Fleets', operations: 'Operations',
    claims: 'Add a board', system: 'System', more: 'More', project: 'Project', account: 'Account', signOut: 'Sign out', theme: 'Appearance',
    themes: { system: 'As the system', light: 'Light', dark: 'Dark' }, language: 'Language', palette: 'Search or jump to', shortcuts: 'Keyboard shortcuts',
  },
  session: {
    title: 'Sign in', lead: 'Devices as machines of your cloud.', user: 'User', password: 'Password', project: 'Project', signIn: 'Sign in',
    again: 'Sign in again', ended: 'Your session is over. What is on screen stays.', wrong: 'User or password is wrong.',
    firstTime: 'The first start of the cloud printed the password of the user admin.', switched: (name: string) => `Now in project ${name}`,
  },
  live: {
    open: 'Live', connecting: 'Connecting', lost: 'Connection lost. What you see may be old; trying again.', refused: 'The cloud refused the event stream.',
    retry: 'Try now', back: 'Live again',
  },
  states: {
    online: 'Online', offline: 'Offline', registered: 'Registered', replacing: 'Being replaced', decommissioned: 'Decommissioned',
    pending: 'Waiting', running: 'Running', succeeded: 'Succeeded', failed: 'Failed', cancelled: 'Cancelled', expired: 'Expired', unknown: 'Unknown',
    stopped: 'Stopped', injecting: 'Injecting', injected: 'Injected', removing: 'Removing', enabling: 'Enabling', enabled: 'Enabled', disabling: 'Disabling',
  },
  problem: {
    request: 'Request', other: 'Something went wrong', nobodyAnswers: 'The cloud does not answer. Check the network and whether the cloud is up, then try again.',
    kinds: {
      invalid: 'That is not valid', unauthenticated: 'Not signed in', forbidden: 'Not allowed', not_found: 'Not found', conflict: 'That does not fit how things stand',
      unreachable: 'Cannot be reached', timeout: 'It took too long', exhausted: 'A limit is reached', internal: 'Something went wrong in the cloud',
    },
    nowhere: 'There is no such page', nowhereText: 'The address may be old, or the thing it named is gone.', toOverview: 'Go to the overview',
  },
  overview: {
    title: 'Overview', boards: 'Boards', online: 'Online', offline: 'Offline', waiting: 'Not seen yet', operations: 'Open operations', where: 'Where they are',
    attention: 'Needs attention', allWell: 'Nothing needs attention.', recent: 'Recent operations', noOperations: 'Nothing was asked of any board yet.',
    emptyTitle: 'Your first board', emptyText: 'A board is any Linux device: a Raspberry Pi, a gateway, a server at the edge. It joins with one line of text, from behind any NAT.',
    noPositions: 'No board has a position yet. Set one on a board\'s page; agents that know theirs send it.', offlineSince: 'last seen', never: 'never seen',
    failedOperation: (method: string) => `${method} failed`, andMore: (count: number) => `and ${count} more`, share: (share: string) => `${share} online`,
    unplaced: (count: number) => many(count, 'board without a position', 'boards without a position'),
  },
  map: { cluster: (count: number) => many(count, 'board', 'boards'), label: 'Map of boards' },
  boards: {
    title: 'Boards', count: (shown: number, all: number) => (shown === all ? many(all, 'board', 'boards') : `${many(shown, 'board', 'boards')} of ${new Intl.NumberFormat('en-GB').format(all)}`),
    add: 'Add a board', filter: 'Filter by name or label', selector: 'Label selector', selectorHint: 'kind=lamp, zone in (north|east), !broken', anyState: 'Any state', anyFleet: 'Any fleet',
    noFleet: 'No fleet', fleet: 'Fleet', labels: 'Labels', lastSeen: 'Last seen', agent: 'Agent', views: 'Saved views', saveView: 'Save this view', viewName: 'Name of the view',
    dropView: (name: string) => `Forget “${name}”`, clear: 'Clear filters', none: 'No board fits', noneText: 'Loosen the filter, or clear it.', emptyTitle: 'No boards yet',
    emptyText: 'Add the first: you get one line to run on the device, and see it come online here.', selected: (count: number) => `${many(count, 'board', 'boards')} chosen`,
    choose: (name: string) => `Choose ${name}`, chooseAll: 'Choose all that are shown', unchoose: 'Choose none', inject: 'Inject a plugin', move: 'Move to a fleet', label: 'Set labels', restart: 'Restart agents',
    reboot: 'Reboot', decommission: 'Decommission', badSelector: (why: string) => `Not a selector: ${why}`, loadingMore: 'Reading the rest', legacy: 'Upstream board',
  },
  bulk: {
    progress: (done: number, all: number) => `${done} of ${all}`, failed: (count: number) => many(count, 'failure', 'failures'), done: 'Done', running: 'Sending',
    kept: 'What was sent goes on in the cloud, also when this page closes.', apply: 'Apply',
    restartText: (count: number) => `The agents of ${many(count, 'board', 'boards')} restart; plugins that started with the board start again.`,
    rebootText: (count: number) => `${many(count, 'board', 'boards')} reboot and are away meanwhile.`, labelAdd: 'Labels to set', labelAddHint: 'key=value, one a line', labelDrop: 'Labels to remove', labelDropHint: 'keys, one a line',
    decommissionText: (count: number) => `${many(count, 'board', 'boards')} leave the cloud for good. Their keys are refused from then on.`, decommissionWord: (count: number) => `decommission ${count}`,
  },
  board: {
    tabs: { summary: 'Summary', plugins: 'Plugins', services: 'Services', logs: 'Logs', operations: 'Operations', terminal: 'Terminal' }, parts: 'Parts of the board',
    load: 'Load', hours: (count: number) => `${count} h`, cpu: 'Processor', memory: 'Memory', disk: 'Disk', temperature: 'Temperature', sensors: 'Sensors', noLoad: 'No load report yet. The agent sends one every half minute while it is online.',
    loadOf: (name: string) => `Load of ${name} over time`, facts: 'About this board', model: 'Model', system: 'System', kernel: 'Kernel', architecture: 'Architecture', processors: 'Processors', hostname: 'Host name', link: 'Link',
    interpreters: 'Interpreters', sandbox: 'Sandbox', agent: 'Agent', agentMemory: 'Agent memory', uptime: 'Up for', key: 'Key', owner: 'Owner', enrolled: 'Enrolled', protocol: 'Protocol', capabilities: 'Capabilities', position: 'Position',
    noPosition: 'No position.', setPosition: 'Set position', pickPosition: 'Click on the map, or type degrees.', latitude: 'Latitude', longitude: 'Longitude', altitude: 'Altitude in metres', labels: 'Labels', noLabels: 'No labels. Labels pick boards for fleets, filters and injections.',
    editLabels: 'Edit labels', labelsHint: 'key=value, one a line', badLabel: (line: string) => `“${line}” is not key=value out of letters, digits and - . _ /`, edit: 'Edit board', rename: 'Rename', renamed: 'Board changed', ping: 'Ping', pong: (ms: string) => `It answered in ${ms} ms`,
    reboot: 'Reboot', rebootText: ['The whole machine restarts; it is offline meanwhile.', 'Plugins set to start with the board start again.'], restartAgent: 'Restart agent', restartText: ['Only the agent restarts; the machine goes on.', 'Open terminals and service connections end.'],
    network: 'Network interfaces', networkEmpty: 'It has no interfaces.', addresses: 'Addresses', mac: 'MAC', mtu: 'MTU', replace: 'Replace the machine', replaceText: ['You get a claim with which another machine takes over name, labels, plugins and services.', 'This machine is refused once the other has enrolled.'],
    decommission: 'Decommission', decommissionText: ['The board leaves the cloud for good and its key is refused.', 'Its services are closed and its operations withdrawn.', 'To come back it must be added anew.'], decommissioned: (name: string) => `${name} left the cloud`,
    gone: 'This board is not here (any more).', offlineHint: 'The board is offline. Commands wait for it up to a day; questions need it online.', legacyHint: 'An upstream board: it knows only upstream\'s calls, and nothing is sent to it twice.', replaceClaim: 'Run this on the new machine',
  },
  injections: {
    title: 'Plugins on this board', inject: 'Inject a plugin', none: 'No plugin on this board', noneText: 'Inject one: its code is sent to the board and can be called or started from here.', noPlugins: 'There is no plugin yet. Write the first.', plugin: 'Plugin', mode: 'Mode', state: 'State', run: 'Doing',
    sync: 'Answers calls', async: 'Runs by itself', onBoot: 'When the board starts', boot: { wait: 'Wait to be started', start: 'Start by itself' }, call: 'Call', start: 'Start', stop: 'Stop', restart: 'Restart', remove: 'Remove', again: 'Inject the new source', stale: 'Older source', logs: 'Log', status: 'Ask the board',
    parameters: 'Parameters', parametersHint: 'A JSON object; what is left out takes the plugin\'s own defaults.', badJson: 'Not a JSON object', result: 'Result', noResult: 'No result', waiting: 'The board is at it', called: (name: string) => `Call ${name}`, restarts: (count: number) => many(count, 'restart', 'restarts'),
    removeText: ['The plugin stops on this board and its code is removed from it.', 'The plugin itself stays; it can be injected again.'], pid: (pid: number) => `process ${pid}`,
    acts: { inject: (name: string) => `Inject ${name}`, call: (name: string) => `Call ${name}`, start: (name: string) => `Start ${name}`, stop: (name: string) => `Stop ${name}`, restart: (name: string) => `Restart ${name}`, remove: (name: string) => `Remove ${name}` },
  },
  exposures: {
    title: 'Services of this board', enable: 'Open a service', none: 'No service is open', noneText: 'Open one: something that listens on the board, such as SSH or a web page, gets a public port here.', noServices: 'There is no service yet. Create the first.', service: 'Service', local: 'On the board', public: 'Public address', connections: 'Connections',
    publicPort: 'Public port', publicPortHint: 'Empty takes a free one.', disable: 'Close', restore: 'Restore', open: 'Open in a new tab', copy: 'address', disableText: ['The public port is freed and open connections end.'],
    acts: { enable: (name: string) => `Open ${name}`, disable: (name: string) => `Close ${name}`, restore: (name: string) => `Restore ${name}` },
  },
  logs: {
    follow: 'Following', paused: 'Paused', pause: 'Pause', resume: 'Follow', clear: 'Clear', filter: 'Filter lines', empty: 'No lines yet.', dropped: (count: number) => `${many(count, 'older line is', 'older lines are')} not kept.`, agent: 'Agent', of: 'Log of', unreachable: 'The board cannot be reached now; its log goes on when it is back.', wrap: 'Wrap lines', download: 'Download',
  },
  terminal: {
    title: 'Terminal', open: 'New terminal', close: (n: number) => `Close terminal ${n}`, tab: (n: number) => `Terminal ${n}`, connecting: 'Connecting', as: (user: string) => `as ${user}`, ended: (code: number) => `The shell ended with code ${code}.`, lost: 'The connection ended.', again: 'Open again',
    off: 'No terminal on this board', offText: 'The board offers a terminal once its settings name the user that shells run as: [terminal] user = "…" in lightning-rod.toml.', offline: 'A terminal needs the board online.', copyHint: 'Copy with Ctrl+Shift+C, paste with Ctrl+Shift+V', start: 'Open a shell on the board, through its own link to the cloud. Nothing listens on the board.',
  },
  add: {
    title: 'Add a board', lead: 'Make a claim: one line of text that lets a device enrol. The device makes its own key; the claim is worthless afterwards.', name: 'Name of the board', namePrefix: 'Beginning of the boards\' names', one: 'One board', several: 'Several boards', uses: 'How many boards', fleet: 'Fleet', labels: 'Labels', labelsHint: 'key=value, one a line', expires: 'Valid for',
    lifetimes: { hour: 'One hour', day: 'One day', week: 'One week', month: 'One month' }, make: 'Make the claim', step1: 'Install the agent', step1Text: 'Once for each device, from the package that belongs to this cloud.', step2: 'Enrol it', step2Text: 'Run this on the device. It is shown only now.', step3: 'Watch it come online', waiting: 'Waiting for the device', waitingText: 'This page sees it at once. You may leave: the claim stays valid.',
    enrolled: 'Enrolled; waiting for its first connection', online: (name: string) => `${name} is online`, openBoard: 'Open the board', another: 'Add another', qr: 'QR code of the claim', showQr: 'Show as QR code', open: 'Open claims', noClaims: 'No claims.', left: (left: number, uses: number) => `${left} of ${uses} left`, revoke: 'Withdraw', revokeText: ['The claim enrols nobody from now on.', 'Boards that enrolled with it stay.'], revoked: 'Claim withdrawn', expired: 'Expired', expiresAt: 'Expires', used: 'Used up', replaces: 'Replaces a board', joined: (count: number, uses: number) => `${count} of ${uses} enrolled`, windowed: 'or as its service user, when the package installed one',
  },
  plugins: {
    title: 'Plugins', new: 'New plugin', emptyTitle: 'No plugins yet', emptyText: 'A plugin is code for boards, in Python or JavaScript: write it here, inject it into any number of boards, call it and read its log.', language: 'Language', mode: 'Mode', visibility: 'Who may use it', visibilities: { private: 'Only its owner', public: 'Everybody in the project' }, owner: 'Owner', revision: 'Revision', source: 'Source', parameters: 'Default parameters', limits: 'Limits',
    modes: { sync: 'Synchronous: answers calls', async: 'Asynchronous: runs by itself' }, saved: 'Plugin saved', saveHint: 'Boards keep the old source until it is injected again.', deleteText: ['The plugin is removed from the cloud.', 'A plugin that is still on boards cannot be deleted; remove it there first.'], inject: 'Inject into boards', injectTo: 'Boards (label selector)', injectHint: 'kind=lamp, zone in (north|east)', injectCount: (count: number) => `Picks ${many(count, 'board', 'boards')} now`, injected: (count: number) => `On its way to ${many(count, 'board', 'boards')}`,
    where: 'Boards that have it', tryIt: 'Try it', tryBoard: 'Board', run: 'Run', code: 'Code', addParameter: 'Add a parameter', parameter: 'Name', value: 'Value', asJson: 'As JSON', asForm: 'As a form', dropParameter: (name: string) => `Drop ${name}`, limitNames: { wall_s: 'Seconds for one call', cpu_s: 'Seconds of processor', memory_bytes: 'Memory in bytes', output_bytes: 'Result in bytes', processes: 'Processes' }, limitsHint: 'Empty takes the board\'s default.', languages: { python: 'Python', node: 'JavaScript' }, big: 'Too long to colour; it is all there.', editorHint: 'Tab indents; Escape, then Tab, leaves the editor. Ctrl+S saves.', settings: 'Settings', injectShort: 'Inject', deleted: (name: string) => `Plugin ${name} deleted`, parametersHint: 'What a call or start takes when it names none.',
  },
  services: {
    title: 'Services', new: 'New service', emptyTitle: 'No services yet', emptyText: 'A service names something that listens on boards: SSH on port 22, a web page on port 80. Open it on a board and it gets a public address.', port: 'Port on the board', protocol: 'Protocol', saved: 'Service saved', deleteText: ['The service is removed.', 'One that is still open on boards cannot be deleted; close it there first.'], edit: 'Edit service', portHint: '1 to 65535, on the board\'s loopback. Boards where it is open keep the old port until it is restored.', common: 'Common ones', openOn: 'Open on a board', deleted: (name: string) => `Service ${name} deleted`,
  },
  fleets: {
    title: 'Fleets', new: 'New fleet', emptyTitle: 'No fleets yet', emptyText: 'A fleet is a named set of boards that belong together: a building, a customer, a hardware batch.', members: 'Boards', saved: 'Fleet saved', deleteText: ['The fleet goes; its boards stay and are in no fleet then.'], edit: 'Edit fleet', add: 'Add boards', addText: 'Choose by labels, or one by one.', addRule: 'Boards with these labels', takeOut: 'Take out', none: 'No boards in this fleet', noneText: 'Add some here, or choose boards in the list and move them.', online: (online: number, all: number) => `${online} of ${all} online`, moved: 'Boards moved', deleted: (name: string) => `Fleet ${name} deleted`, tookOut: (name: string) => `${name} is in no fleet now`,
  },
  operations: {
    title: 'Operations', open: 'Show the operation', method: 'What', board: 'Board', by: 'By', sent: 'Sent', ended: 'Ended', took: 'Took', attempts: 'Attempts', result: 'Result', fault: 'Why it failed', history: 'Steps', deadline: 'Makes sense until', cancel: 'Cancel', cancelled: 'Withdrawn', cancelAsked: 'The board was asked to stop it', retry: 'Do it again', emptyTitle: 'No operations yet', emptyText: 'Whatever is asked of a board becomes an operation: it waits while the board is away, and stands here with its result.', queries: 'Show questions too', noneFit: 'No operation fits', newest: 'Newest first', unknownText: 'The board died while at it: nobody can say whether it was done.', openOnes: 'Open', request: 'Operation',
    methods: {
      PluginInject: 'Inject plugin', PluginRemove: 'Remove plugin', PluginCall: 'Call plugin', PluginStart: 'Start plugin', PluginStop: 'Stop plugin', PluginReboot: 'Restart plugin', PluginStatus: 'Ask about plugin', PluginLogs: 'Read plugin log', ServiceEnable: 'Open service', ServiceDisable: 'Close service', ServiceRestore: 'Restore service', ServicesStatus: 'Ask about services', DeviceReboot: 'Reboot', DeviceRestartLR: 'Restart agent', DevicePing: 'Ping', DeviceEcho: 'Echo', DeviceNetConfig: 'Read network', DeviceLogs: 'Read agent log', OperationCancel: 'Cancel operation',
    },
  },
  system: {
    title: 'System', onlyAdmin: 'Only administrators of the cloud see this.', reread: 'Read again', missing: 'This cloud does not tell about itself.', health: 'Health', uptime: 'Up for', processId: 'Process', memory: 'Memory', files: 'Open files', protocols: 'Board protocols', url: 'Public address',
    open: 'Open now', boardsOnline: 'Boards online', links: 'Data links', channels: 'Connections through them', publicPorts: 'Public ports', streams: 'Streams', requests: 'Requests since the start', mean: 'Mean time', done: 'Done', database: 'Database', size: 'Size', events: 'Events kept', dropped: 'Records not written', counts: 'Boards and open operations',
    listeners: 'Listeners', plain: 'plain', encryption: 'Encryption', certificate: 'Certificate', legacy: 'Upstream boards', key: 'Fingerprint that boards pin', authority: 'Own authority', settings: 'Settings in force',
  },
  palette: { label: 'Command palette', placeholder: 'Board, plugin, page or act', none: 'Nothing fits', goTo: 'Go to', hint: 'Enter opens, Escape closes', kinds: { page: 'Page', board: 'Board', plugin: 'Plugin', service: 'Service', fleet: 'Fleet', act: 'Act' }, toggleTheme: 'Switch light and dark' },
};

export type Dictionary = typeof en;
