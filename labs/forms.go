package labs

import (
	"math"
	"strings"

	"github.com/patchbay/patchbay/vnet/impair"
)

var (
	textForm     = &Form{Type: Text}
	quantityForm = &Form{Type: Quantity}
	textsForm    = &Form{Type: List, Item: textForm}
	placeForm    = &Form{Type: List, Item: &Form{Type: Decimal}}
	vlanForm     = &Form{Type: Whole, Min: minVLAN, Max: maxVLAN}
	mtuForm      = &Form{Type: Whole, Min: minMTU, Max: maxMTU}
)

var labForm = &Form{Type: Object, Name: "a lab", Keys: []FormKey{
	{Name: "title", Doc: "What the lab is called, at most 100 characters.", Example: "Static routing", Form: textForm},
	{Name: "summary", Doc: "One sentence for lists.", Example: "Two routers and four routes.", Form: textForm},
	{Name: "description", Doc: "Markdown for the lab's page.", Example: "“|” and lines below it", Form: textForm},
	{Name: "author", Doc: "Who wrote it.", Example: "A. Author", Form: textForm},
	{Name: "licence", Doc: "Under what others may use it.", Example: "CC-BY-4.0", Form: textForm},
	{Name: "tags", Doc: "Words to find it by, of a-z, 0-9 and -.", Example: "[ipv4, routing]", Form: textsForm},
	{Name: "difficulty", Doc: "beginner, intermediate or advanced.", Example: "beginner", Form: &Form{Type: Text, Enum: []string{string(Beginner), string(Intermediate), string(Advanced)}}},
	{Name: "topic", Doc: "What it is about: " + strings.Join(Topics(), ", ") + ".", Example: "routing", Form: &Form{Type: Text, Enum: Topics()}},
	{Name: "requires", Doc: "The labs that a student should have done before, by the names of their folders.", Example: "[two-hosts]", Form: textsForm},
	{Name: "minutes", Doc: "How long it takes a student who meets its subject for the first time.", Example: "40", Form: &Form{Type: Whole, Min: minMinutes, Max: maxMinutes}},
	{Name: "extends", Doc: "The folder of a lab that this one builds on.", Example: "../two-hosts", Form: textForm},
	{Name: "parameters", Doc: "What differs from student to student, by name.", Example: "{lan: {network: 10.0.0.0/8}}", Form: &Form{Type: Map, Item: parameterForm}},
	{Name: "nodes", Doc: "The machines, by name: of a-z, 0-9 and -, at most 31, a letter first.", Example: "{pc1: {interfaces: {eth0: lan}}}", Form: &Form{Type: Map, Item: nodeForm}},
	{Name: "segments", Doc: "What they are joined by, by name.", Example: "{lan: switch}", Form: &Form{Type: Map, Item: segmentForm}},
	{Name: "events", Doc: "What the lab does to its own wires, at a time or to a frame.", Example: "[{at: 30s, cut: far}]", Form: &Form{Type: List, Item: eventForm}},
	{Name: "seed", Doc: "Of losses and all else that is left to chance: the same seed loses the same frames. Drawn for each student when nothing is said.", Example: "7", Form: &Form{Type: Whole, Min: 1, Max: math.MaxInt32}},
	{Name: "checks", Doc: "What the lab expects of its student, by name.", Example: "{up: {reach: {node: pc1, to: 10.0.0.2}}}", Form: &Form{Type: Map, Item: checkForm}},
	{Name: "mutants", Doc: "Wrong solutions that the checks must see through, by name.", Example: "{lazy: {fails: [up]}}", Form: &Form{Type: Map, Item: mutantForm}},
}}

var nodeForm = &Form{Type: Object, Name: "a node", Keys: []FormKey{
	{Name: "image", Doc: "Its image; “patchbay image list” shows those there are.", Example: "debian", Form: textForm},
	{Name: "kernel", Doc: "Its kernel; “patchbay kernel list” shows those there are.", Example: "debian-6.1", Form: textForm},
	{Name: "mode", Doc: "ptrace, or seccomp, which is faster and has no border between root and others.", Example: "seccomp", Form: &Form{Type: Text, Enum: []string{"ptrace", "seccomp"}}},
	{Name: "memory", Doc: "In M or G, at least 48M.", Example: "96M", Form: quantityForm},
	{Name: "disk", Doc: "In M or G: how much it may write.", Example: "1G", Form: quantityForm},
	{Name: "interfaces", Doc: "Its interfaces, by name, each with its segment.", Example: "{eth0: lan}", Form: &Form{Type: Map, Item: interfaceForm}},
	{Name: "sysctls", Doc: "Kernel settings, set before anything else.", Example: "{net.ipv4.ip_forward: 1}", Form: &Form{Type: Map, Item: &Form{Type: Scalar}}},
	{Name: "startup", Doc: "Commands that root runs at each start.", Example: "[ip addr add 10.255.0.1/32 dev lo]", Form: textsForm},
	{Name: "files", Doc: "Files on its disk, by absolute path, put there before its first start.", Example: `{/etc/motd: {content: "Hello\n"}}`, Form: &Form{Type: Map, Item: fileForm}},
	{Name: "publish", Doc: "TCP ports of services that the student's browser may open.", Example: "[80]", Form: &Form{Type: List, Item: &Form{Type: Whole, Min: 1, Max: maxPort}}},
	{Name: "at", Doc: "Its place in the drawing, right and down, in nodes' widths.", Example: "[0, 1.5]", Form: placeForm},
}}

var interfaceForm = &Form{Type: Object, Name: "an interface", Short: textForm, Keys: []FormKey{
	{Name: "segment", Doc: "The segment that it is on; none for an interface without a cable. “eth0: lan” is short for it.", Example: "lan", Form: textForm},
	{Name: "mac", Doc: "Its MAC address; one of its own when nothing is said.", Example: "02:00:00:00:00:01", Form: textForm},
	{Name: "mtu", Doc: "In bytes, at most its segment's.", Example: "1400", Form: mtuForm},
	{Name: "addresses", Doc: "IPv4 and IPv6 addresses with their prefix lengths.", Example: `[10.0.0.1/24, "fd00::1/64"]`, Form: textsForm},
	{Name: "gateway", Doc: "The default router.", Example: "10.0.0.254", Form: textForm},
	{Name: "vlan", Doc: "On a switch: an access port of this VLAN.", Example: "10", Form: vlanForm},
	{Name: "trunk", Doc: "On a switch: a port that carries these VLANs, tagged.", Example: "[10, 20]", Form: &Form{Type: List, Item: vlanForm}},
	{Name: "native", Doc: "Of a trunk: the VLAN of frames without a tag.", Example: "10", Form: vlanForm},
	{Name: "impair", Doc: "What its cable does to frames, each way for itself.", Example: "{out: {loss: 5%}}", Form: cableForm},
}}

var cableForm = &Form{Type: Object, Name: "the impairment of an interface", Keys: []FormKey{
	{Name: "out", Doc: "To the frames that the node sends.", Example: "{loss: 5%}", Form: impairForm},
	{Name: "in", Doc: "To the frames that it gets.", Example: "{delay: 100ms}", Form: impairForm},
}}

var fileForm = &Form{Type: Object, Name: "a file", Keys: []FormKey{
	{Name: "source", Doc: "A file in the lab's folder that it is a copy of.", Example: "files/motd", Form: textForm},
	{Name: "content", Doc: "Or its text.", Example: `"Hello\n"`, Form: textForm},
	{Name: "mode", Doc: "Its permissions in octal; 0644, or 0755 for a program, when nothing is said.", Example: "0600", Form: &Form{Type: Scalar}},
}}

var segmentForm = &Form{Type: Object, Name: "a segment", Short: &Form{Type: Text, Enum: segmentKinds}, Keys: []FormKey{
	{Name: "kind", Doc: "switch (when nothing is said), hub, link, which joins exactly two, or uplink, a switch with a way out. “lan: switch” is short for it.", Example: "link", Form: &Form{Type: Text, Enum: segmentKinds}},
	{Name: "mtu", Doc: "In bytes; 1500 when nothing is said.", Example: "9000", Form: mtuForm},
	{Name: "mirror", Doc: "Of a switch: NODE/INTERFACE on it that gets a copy of every frame.", Example: "ids/eth1", Form: textForm},
	{Name: "storm", Doc: "How many broadcasts a second one port may send, or off.", Example: "1000", Form: &Form{Type: Scalar}},
	{Name: "impair", Doc: "What its cables do to frames; on a link, once each way.", Example: "{delay: 20ms, loss: 1%}", Form: impairForm},
	{Name: "allow", Doc: "Of an uplink: where its nodes may go, HOST:PORT or NETWORK:PORT, where the administrator agrees.", Example: `["www.example.com:80", "192.0.2.0/24:443"]`, Form: textsForm},
	{Name: "at", Doc: "Its place in the drawing.", Example: "[1, 1]", Form: placeForm},
}}

var segmentKinds = []string{string(Switch), string(Hub), string(Link), string(Uplink)}

var impairForm = &Form{Type: Object, Name: "an impairment", Keys: []FormKey{
	{Name: "delay", Doc: "How long each frame is on its way.", Example: "20ms", Form: quantityForm},
	{Name: "jitter", Doc: "By how much that varies.", Example: "2ms", Form: quantityForm},
	{Name: "distribution", Doc: "How: uniform, normal or pareto.", Example: "normal", Form: &Form{Type: Text, Enum: []string{string(impair.Uniform), string(impair.Normal), string(impair.Pareto)}}},
	{Name: "loss", Doc: "How many frames are lost.", Example: "1%", Form: quantityForm},
	{Name: "burst", Doc: "Losses that come together.", Example: "{good_to_bad: 1%, bad_to_good: 30%, loss_bad: 50%}", Form: burstForm},
	{Name: "duplicate", Doc: "How many arrive twice.", Example: "0.1%", Form: quantityForm},
	{Name: "reorder", Doc: "How many overtake those before.", Example: "5%", Form: quantityForm},
	{Name: "corrupt", Doc: "In how many a bit is turned.", Example: "0.1%", Form: quantityForm},
	{Name: "rate", Doc: "In bits a second.", Example: "10M", Form: quantityForm},
	{Name: "queue", Doc: "How many frames may wait for the rate.", Example: "50", Form: &Form{Type: Whole, Min: 1, Max: impair.MaxQueue}},
}}

var burstForm = &Form{Type: Object, Name: "burst", Keys: []FormKey{
	{Name: "good_to_bad", Doc: "How likely a frame is the first of a bad time.", Example: "1%", Form: quantityForm},
	{Name: "bad_to_good", Doc: "How likely it is the first of a good one.", Example: "30%", Form: quantityForm},
	{Name: "loss_good", Doc: "How many are lost in good times.", Example: "0%", Form: quantityForm},
	{Name: "loss_bad", Doc: "How many in bad ones.", Example: "50%", Form: quantityForm},
}}

var eventForm = &Form{Type: Object, Name: "an event", Keys: []FormKey{
	{Name: "at", Doc: "When, counted from when all nodes have come up.", Example: "30s", Form: quantityForm},
	{Name: "cut", Doc: "At that time: the segment, NODE or NODE/INTERFACE whose cables are pulled.", Example: "far", Form: textForm},
	{Name: "restore", Doc: "At that time: where they are put in again.", Example: "far", Form: textForm},
	{Name: "impair", Doc: "What the wire does from then on.", Example: "{loss: 50%}", Form: impairForm},
	{Name: "frame", Doc: "In place of a time: frames that match, in tcpdump's language.", Example: "icmp", Form: textForm},
	{Name: "on", Doc: "Where: a segment, NODE or NODE/INTERFACE.", Example: "pc1/eth0", Form: textForm},
	{Name: "direction", Doc: "With frame: out, those that the node sends (when nothing is said), or in.", Example: "in", Form: &Form{Type: Text, Enum: []string{"out", "in"}}},
	{Name: "nth", Doc: "With frame: the how manieth; the first when nothing is said.", Example: "3", Form: &Form{Type: Whole, Min: 1, Max: maxNth}},
	{Name: "every", Doc: "With frame: each nth again.", Example: "true", Form: &Form{Type: Bool}},
	{Name: "do", Doc: "With frame: drop, delay, duplicate, corrupt, cut, restore or impair.", Example: "drop", Form: &Form{Type: Text, Enum: eventKinds}},
	{Name: "delay", Doc: "With do: delay, how long.", Example: "200ms", Form: quantityForm},
}}

var mutantForm = &Form{Type: Object, Name: "a mutant", Keys: []FormKey{
	{Name: "about", Doc: "What is wrong with it, one line.", Example: "r2 does not forward", Form: textForm},
	{Name: "fails", Doc: "The checks that fail or are skipped, and no others do.", Example: "[far-lan]", Form: textsForm},
}}
