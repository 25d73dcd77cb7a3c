package main

import (
	"github.com/patchbay/patchbay/labs/spawn"
	"github.com/patchbay/patchbay/web"
)

// LocalRacks is web's racks on processes of this machine.
func LocalRacks(l *spawn.Local) web.Racks { return localRacks{l} }
