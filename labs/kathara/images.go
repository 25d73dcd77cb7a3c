package kathara

import (
	"path"
	"strings"
)

// fate is what becomes of a device with a certain image.
type fate int

const (
	runs   fate = iota // on our image
	quagga             // on our image, with FRR in Quagga's place
	drops              // the device is left out, with a note
	refuse             // the lab cannot run
)

// fateOf says what becomes of a device with that image, and why.
func fateOf(image string) (fate, string) {
	name, _, _ := strings.Cut(path.Base(image), ":")
	switch {
	case image == "":
		return runs, ""
	case name == "wireshark":
		return drops, "a desktop with Wireshark does not run here. It is not needed: each cable's frames can be seen in the page, and downloaded for Wireshark."
	case !strings.HasPrefix(image, "kathara/"):
		return runs, "the image " + quoted(image) + " is not known here: the machine runs Patchbay's own, and programs that only that image has are missing."
	}
	switch name {
	case "base", "core", "frr", "bird2", "dnsmasq", "apache", "netkit_base":
		return runs, ""
	case "bind":
		if strings.HasSuffix(image, ":9.11") {
			return runs, "BIND is a newer one here (9.18) than in " + quoted(image) + "."
		}
		return runs, ""
	case "bird":
		return runs, "BIRD is version 2 here; a configuration for version 1 may need changes."
	case "quagga":
		return quagga, "Quagga is FRR here, its successor: same configuration files and commands, /etc/quagga is /etc/frr."
	case "p4", "bmv2":
		return refuse, "a P4 switch does not run here"
	case "sdn", "openvswitch", "pox":
		return refuse, "Open vSwitch and its controllers (POX, OpenFlow) do not run here"
	case "scion":
		return refuse, "SCION does not run here"
	case "krill", "routinator", "rpki-client", "openbgpd", "rift-python", "bird3":
		return refuse, name + " is not part of Patchbay's image"
	}
	return runs, "the image " + quoted(image) + " is not known here: the machine runs Patchbay's own, and programs that only that image has are missing."
}
