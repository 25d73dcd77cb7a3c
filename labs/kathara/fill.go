package kathara

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what a lab's files are; labs.Load sets them.
const (
	maxFile  = 4 << 20
	maxBytes = 15 << 20
	maxFiles = 990
	maxDepth = 15
)

// folder looks at what lies beside lab.conf and belongs to no device.
func (c *converter) folder() {
	devices := map[string]bool{}
	for _, d := range c.conf.Devices {
		devices[d.Name] = true
	}
	for _, e := range c.list(".") {
		name := e.Name()
		base, ext, _ := strings.Cut(name, ".")
		switch lower := strings.ToLower(name); {
		case strings.HasPrefix(name, "."), name == "lab.conf", name == "lab.dep", name == "shared":
		case e.IsDir() && devices[name]:
		case (ext == "startup" || ext == "shutdown") && (devices[base] || base == "shared"):
			if ext == "shutdown" {
				c.note(name, 0, "It is not run: a machine of Patchbay is stopped by ending its programs and writing its disk.")
			}
		case strings.HasPrefix(lower, "readme") && (ext == "md" || ext == "txt" || ext == "") && c.readme == "":
			c.readme = name
		case name == "lab.ext":
			c.bad(name, 0, "take the file away, and give the lab a segment of kind uplink instead", "lab.ext joins the lab to interfaces of the machine that it runs on, which no lab here may have")
		case ext == "startup" || ext == "shutdown":
			c.note(name, 0, "It is left out: there is no device %s.", quoted(base))
		case c.dropped[name]:
		case e.IsDir():
			c.note(name, 0, "The folder is left out: it is not one of a device.")
		default:
			c.note(name, 0, "The file is left out: no machine gets it.")
		}
	}
}

// fill gives a node its files, settings and commands.
func (c *converter) fill(n *node) {
	name := n.device.Name
	if info, err := fs.Stat(c.fsys, "shared"); err == nil && info.IsDir() {
		to := "shared" // Kathará mounts it there
		if c.conf.Dialect == Netkit {
			to = ""
		} else if n == c.nodes[0] {
			c.note("shared", 0, "Each machine has a copy of its own in /shared: what one writes there the others do not see.")
		}
		c.copyFolder(n, "shared", to, 0)
	}
	if info, err := fs.Stat(c.fsys, name); err == nil && info.IsDir() {
		c.copyFolder(n, name, "", 0)
	}
	ipv6 := c.options(n)
	if c.conf.Dialect == Kathara {
		c.defaults(n, ipv6)
	} else {
		n.set("net.ipv4.ip_forward", "1", false)
	}
	add := func(text string) { n.startup = append(n.startup, command{text: text}) }
	if n.has("/etc/frr/") {
		add("chown -R frr:frr /etc/frr")
	}
	if n.has("/var/www/") {
		add("chmod -R 777 /var/www")
	}
	c.script(n, "shared.startup")
	c.script(n, name+".startup")
	for _, o := range n.device.Options {
		if o.Name == "exec" || o.Name == "e" {
			add(o.Value)
		}
	}
}

func (n *node) has(prefix string) bool {
	for p := range n.files {
		if strings.HasPrefix(p, prefix) {
			return true
		}
	}
	return false
}

// set sets a kernel setting; a default leaves what is set already.
func (n *node) set(key, value string, isDefault bool) {
	i := slices.IndexFunc(n.sysctls, func(o Option) bool { return o.Name == key })
	switch {
	case i < 0:
		n.sysctls = append(n.sysctls, Option{Name: key, Value: value})
	case !isDefault:
		n.sysctls[i].Value = value
	}
}

// defaults are the settings that Kathará's machines begin with and a kernel
// does not.
func (c *converter) defaults(n *node, ipv6 bool) {
	n.set("net.ipv4.ip_forward", "1", true)
	n.set("net.ipv4.icmp_ratelimit", "0", true)
	if !ipv6 {
		n.set("net.ipv6.conf.all.disable_ipv6", "1", true)
		return
	}
	n.set("net.ipv6.conf.all.disable_ipv6", "0", true)
	n.set("net.ipv6.conf.all.forwarding", "1", true)
	n.set("net.ipv6.conf.all.accept_ra", "0", true)
	n.set("net.ipv6.conf.default.accept_ra", "0", true)
}

// script adds a startup script, as commands where it can be taken apart.
func (c *converter) script(n *node, name string) {
	data, err := c.open(name, maxFile)
	if err != nil {
		if _, there := fs.Lstat(c.fsys, name); there == nil {
			c.bad(name, 0, "", "this %v", err)
		}
		return
	}
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		c.bad(name, 0, "save it as a text in UTF-8", "this is not a text")
		return
	}
	text := strings.Join(linesOf(data), "\n")
	list, ok := commandsOf(text)
	switch {
	case ok && len(list)+len(n.startup) <= maxCommands && c.conf.Dialect == Kathara:
		n.startup = append(n.startup, list...)
		if len(list) > 0 {
			return
		}
		n.startup = append(n.startup, command{comments: []string{"# " + name + " has no commands"}, text: "true"})
	default:
		target := "/etc/lab/" + name
		if c.put(name, "nodes/"+n.name+target, []byte(text), true) {
			n.files[target] = true
		}
		shell := "bash"
		if c.conf.Dialect == Netkit {
			shell = "sh"
		}
		n.startup = append(n.startup, command{text: shell + " " + target})
	}
}

// copyFolder copies a folder of theirs to a node, as they do: links are
// followed, owners and modes are not kept but for being a program.
func (c *converter) copyFolder(n *node, from, to string, depth int) {
	if depth > maxDepth {
		c.note(from, 0, "It is left out: folders lie more than %d deep.", maxDepth)
		return
	}
	entries := c.list(from)
	if len(entries) == 0 && depth > 0 {
		n.startup = append(n.startup, command{text: "mkdir -p '/" + strings.ReplaceAll(to, "'", `'\''`) + "'"})
	}
	for _, e := range entries {
		name, target := path.Join(from, e.Name()), path.Join(to, e.Name())
		if e.Name() == ".gitkeep" || e.Name() == ".gitignore" || e.Name() == ".DS_Store" {
			continue
		}
		info, err := fs.Stat(c.fsys, name)
		switch {
		case err != nil:
			c.note(name, 0, "It is left out: it is a link that leads nowhere, or out of the lab.")
			continue
		case info.IsDir():
			c.copyFolder(n, name, target, depth+1)
			continue
		}
		c.copyFile(n, name, target, info.Mode()&0o111 != 0)
	}
}

var unusable = regexp.MustCompile(`^(proc|sys|dev)/`)

func (c *converter) copyFile(n *node, name, target string, exec bool) {
	if unusable.MatchString(target) {
		c.note(name, 0, "It is left out: /%s is no part of a disk.", target)
		return
	}
	if target != plainText(target) || len(target) > 250 {
		c.note(name, 0, "It is left out: its name is too long, or has characters that cannot be printed.")
		return
	}
	data, err := c.open(name, maxFile)
	if err != nil {
		c.bad(name, 0, "make it smaller, or take it away", "this %v", err)
		return
	}
	if utf8.Valid(data) && bytes.IndexByte(data, 0) < 0 && (bytes.Contains(data, []byte("\r\n")) || bytes.HasPrefix(data, []byte("\ufeff"))) {
		data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
		c.note(name, 0, "Its line ends are Windows'; the machine gets it with those of Linux.")
	}
	for _, old := range []string{"etc/quagga/", "etc/zebra/"} {
		if rest, ok := strings.CutPrefix(target, old); ok {
			target = "etc/frr/" + rest
		}
	}
	data = c.mendBIND(name, target, data)
	if n.quagga && target == "etc/frr/bgpd.conf" {
		// FRR 7.4 began to refuse routes of other systems without a policy, and
		// to announce only what is in the table; it keeps to what was before
		// when it is told so.
		data = append([]byte("frr version 7.3\nfrr defaults traditional\n"), data...)
		c.note(name, 0, "Two lines are put in front, so that bgpd behaves as Quagga's: it needs no policy, and announces networks that it has no route to.")
	}
	if c.put(name, "nodes/"+n.name+"/"+target, data, exec) {
		n.files["/"+target] = true
	}
}

// put adds a file to the folder that is made.
func (c *converter) put(from, name string, data []byte, exec bool) bool {
	if old, again := c.files[name]; again {
		c.read -= len(old.Data) // a device's own comes over a shared one
	}
	c.read += len(data)
	if c.read > maxBytes || len(c.files) >= maxFiles {
		c.bad(from, 0, "leave out what the lab does not use", "with this the lab's files are more than %d, or %d MiB together", maxFiles, maxBytes>>20)
		return false
	}
	c.files[name] = File{Data: data, Exec: exec}
	return true
}

// options takes a device's options over, and says whether it has IPv6.
func (c *converter) options(n *node) (ipv6 bool) {
	var env []string
	for _, o := range n.device.Options {
		note := func(format string, args ...any) {
			c.note("lab.conf", o.Line, n.device.Name+": "+format, args...)
		}
		switch o.Name {
		case "image", "i", "exec", "e":
		case "ipv6":
			ipv6 = strings.EqualFold(o.Value, "true") || o.Value == "1" || strings.EqualFold(o.Value, "yes")
		case "sysctl":
			key, value, ok := strings.Cut(o.Value, "=")
			key = strings.TrimSpace(key)
			if !ok || !sysctlRE.MatchString(key) {
				c.bad("lab.conf", o.Line, "write it like net.ipv4.ip_forward=1", "%s is not a kernel setting below net", quoted(o.Value))
				continue
			}
			n.set(key, strings.TrimSpace(value), false)
		case "mem", "M":
			c.memory(n, o)
		case "port":
			c.port(n, o)
		case "env":
			key, value, _ := strings.Cut(o.Value, "=")
			if !envRE.MatchString(key) {
				note("the environment %s is left out: it is not of the form NAME=VALUE.", quoted(o.Value))
				continue
			}
			env = append(env, "export "+key+"='"+strings.ReplaceAll(value, "'", `'\''`)+"'")
		case "bridged":
			if strings.EqualFold(o.Value, "true") {
				note("bridged is not taken over: where a machine may go outside is what a segment of kind uplink says, as far as the server allows it.")
			}
		case "num_terms":
			note("num_terms is not taken over: a machine has up to eight terminals, opened when they are wanted.")
		case "shell":
			note("shell is not taken over: terminals begin with bash.")
		case "cpus", "ulimit", "privileged", "entrypoint", "args", "volume":
			note("%s is about containers and not taken over: a machine here is a whole one, with a kernel of its own, and root in it may do anything.", o.Name)
		default:
			note("the option %s is not known here and not taken over.", quoted(o.Name))
		}
	}
	if len(env) > 0 {
		c.put("lab.conf", "nodes/"+n.name+"/etc/profile.d/lab.sh", []byte(strings.Join(env, "\n")+"\n"), false)
		n.startup = append([]command{{text: ". /etc/profile.d/lab.sh"}}, n.startup...)
		c.note("lab.conf", n.device.Line, "%s: its environment is for startup commands and login shells.", n.device.Name)
	}
	return ipv6
}

var (
	sysctlRE = regexp.MustCompile(`^net(\.[a-zA-Z0-9_-]+)+$`)
	envRE    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	memoryRE = regexp.MustCompile(`^([0-9]{1,12})([bkmgBKMG]?)$`)
	portRE   = regexp.MustCompile(`^(?:([0-9]{1,5}):)?([0-9]{1,5})(?:/(tcp|udp|sctp))?$`)
)

const leastMemory, mostMemory = 96, 2048 // MiB: what our image needs with a routing daemon; what labs.Load allows

func (c *converter) memory(n *node, o Option) {
	m := memoryRE.FindStringSubmatch(o.Value)
	if m == nil {
		c.bad("lab.conf", o.Line, "write it like 128m", "%s is not an amount of memory", quoted(o.Value))
		return
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	unit := strings.ToLower(m[2])
	if unit == "" && c.conf.Dialect == Netkit {
		unit = "m"
	}
	mib := int(v * map[string]float64{"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[unit] / (1 << 20))
	n.memory = max(leastMemory, min(mib, mostMemory))
	if n.memory != mib {
		c.note("lab.conf", o.Line, "%s has %d MiB of memory instead of %s: %d are the least and %d the most here.", n.device.Name, n.memory, o.Value, leastMemory, mostMemory)
	}
}

func (c *converter) port(n *node, o Option) {
	m := portRE.FindStringSubmatch(o.Value)
	if m == nil {
		c.bad("lab.conf", o.Line, "write it like 8080:80/tcp", "%s is not a port", quoted(o.Value))
		return
	}
	if v, _ := strconv.Atoi(m[2]); m[3] == "udp" || m[3] == "sctp" || v < 1 || v > 65535 {
		c.note("lab.conf", o.Line, "%s: port %s is not published: only TCP ports can be, to the student's browser.", n.device.Name, o.Value)
		return
	}
	if !slices.Contains(n.publish, m[2]) {
		n.publish = append(n.publish, m[2])
	}
	c.note("lab.conf", o.Line, "%s: port %s opens from the lab's page in a browser, and on no port of the machine that the lab runs on.", n.device.Name, m[2])
}
