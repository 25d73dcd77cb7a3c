package labs

import "io/fs"

// Load reads the lab in folder dir of fsys. When it is not in order the error
// is a Problems with everything that was found. Load never writes, reads only
// within fsys, follows no symbolic links, and is bounded in time and memory
// whatever it is given.
func Load(fsys fs.FS, dir string) (*Lab, error) {
	return nil, Problems{{File: dir, Message: "labs cannot be loaded yet"}}
}
