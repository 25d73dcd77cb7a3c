package agent

import "encoding/binary"

func (m Machine) append(b []byte) []byte {
	b = appendString(b, m.Hostname)
	for _, d := range [...]Device{m.Root, m.Disk, m.Modules} {
		b = appendString(b, d.Path)
		b = appendString(b, d.Type)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Interfaces)))
	for _, i := range m.Interfaces {
		b = binary.BigEndian.AppendUint16(b, uint16(i.Vec))
		b = appendString(b, i.Name)
		b = binary.BigEndian.AppendUint32(b, uint32(i.MTU))
		b = appendStrings(b, i.Addresses)
		b = appendString(b, i.Gateway)
		b = appendBool(b, i.Down)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Hosts)))
	for _, h := range m.Hosts {
		b = appendString(b, h.Address)
		b = appendStrings(b, h.Names)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Files)))
	for _, f := range m.Files {
		b = appendString(b, f.Path)
		b = binary.BigEndian.AppendUint32(b, f.Mode)
		b = binary.BigEndian.AppendUint32(b, uint32(len(f.Data)))
		b = append(b, f.Data...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(m.Sysctls)))
	for _, s := range m.Sysctls {
		b = appendString(b, s.Key)
		b = appendString(b, s.Value)
	}
	b = appendStrings(b, m.Startup)
	b = append(b, byte(m.Consoles))
	b = binary.BigEndian.AppendUint64(b, uint64(m.TimeNanos))
	b = appendBool(b, m.Fresh)
	return appendBool(b, m.Inspect)
}

func decodeMachine(b []byte) (Machine, error) {
	d := decoder{b: b}
	m := Machine{Hostname: d.string()}
	for _, dev := range [...]*Device{&m.Root, &m.Disk, &m.Modules} {
		dev.Path = d.string()
		dev.Type = d.string()
	}
	if n := d.count(19); n > 0 {
		m.Interfaces = make([]Interface, n)
		for i := range m.Interfaces {
			m.Interfaces[i] = Interface{
				Vec: int(d.u16()), Name: d.string(), MTU: int(d.u32()),
				Addresses: d.strings(), Gateway: d.string(), Down: d.bool(),
			}
		}
	}
	if n := d.count(8); n > 0 {
		m.Hosts = make([]Host, n)
		for i := range m.Hosts {
			m.Hosts[i] = Host{Address: d.string(), Names: d.strings()}
		}
	}
	if n := d.count(12); n > 0 {
		m.Files = make([]File, n)
		for i := range m.Files {
			m.Files[i] = File{Path: d.string(), Mode: d.u32(), Data: d.bytes()}
		}
	}
	if n := d.count(8); n > 0 {
		m.Sysctls = make([]Sysctl, n)
		for i := range m.Sysctls {
			m.Sysctls[i] = Sysctl{Key: d.string(), Value: d.string()}
		}
	}
	m.Startup = d.strings()
	m.Consoles = int(d.u8())
	m.TimeNanos = int64(d.u64())
	m.Fresh = d.bool()
	m.Inspect = d.bool()
	return m, d.end()
}
