using System.Runtime.Versioning;

// Namespaces, netlink and Unix sockets with modes: there is no other platform for it.
[assembly: SupportedOSPlatform("linux")]
