package kernel

import "github.com/patchbay/patchbay/guest/apt"

var (
	ParseConfig     = parseConfig
	CheckConfig     = checkConfig
	ConfigHash      = configHash
	CompareVersions = compareVersions
	ParseLdd        = parseLdd
	LoadOrder       = loadOrder
	ApplyPatches    = applyPatches
	Fragment        = fragment
)

func Newest(offered []apt.Version) (apt.Version, string, error) { return newest(offered) }

func Series() ([]string, error) { return series(patches) }
