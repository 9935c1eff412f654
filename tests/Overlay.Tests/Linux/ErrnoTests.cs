using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Execution;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Native;

namespace Overlay.Tests.Linux;

public sealed class ErrnoTests
{
    [Fact]
    public void An_error_has_a_name_and_a_text()
    {
        Assert.Equal("ENOENT (No such file or directory)", Errno.Describe(2));
        Assert.StartsWith("errno 4095 (", Errno.Describe(4095), StringComparison.Ordinal);
        Assert.Equal("link add x: EEXIST (File exists): taken", new KernelException("link add x", 17, "taken").Message);
    }

    [Theory]
    [InlineData("", "/host/ns")]
    [InlineData("web", "/root/web")]
    [InlineData("/proc/7/ns/net", "/proc/7/ns/net")]
    public void A_name_has_a_path(string name, string path) =>
        Assert.Equal(path, new NamespaceDirectory("/root", "/host/ns").PathOf(new(name)));

    [Theory]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("a\0b")]
    public void A_name_that_could_leave_the_folder_is_refused(string name)
    {
        NamespaceDirectory directory = new();
        Assert.Equal(22, Assert.Throws<KernelException>(() => directory.PathOf(new NamespaceName(name))).Errno);
    }

    [Theory]
    [InlineData("net/ipv4/ip_forward", true)]
    [InlineData("net/ipv4/conf/eth0.5/rp_filter", true)]
    [InlineData("net/ipv4/../../x", false)]
    [InlineData("net//x", false)]
    [InlineData("/etc/passwd", false)]
    [InlineData("net/ipv4/a b", false)]
    [InlineData("", false)]
    public void A_sysctl_path_stays_below_its_folder(string path, bool valid) =>
        Assert.Equal(valid, SysctlFile.IsValidPath(path));

    [Fact]
    public void A_missing_folder_cannot_be_flushed() =>
        Assert.Equal(2, Assert.Throws<KernelException>(() => DirectorySync.Flush("/no/such/folder")).Errno);

    [Fact]
    public void A_folder_is_flushed() => DirectorySync.Flush(Path.GetTempPath());
}
