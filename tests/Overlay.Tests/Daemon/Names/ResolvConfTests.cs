using Overlay.Daemon.Names;
using Overlay.Dns;

namespace Overlay.Tests.Daemon.Names;

public sealed class ResolvConfTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("overlayd-test").FullName;
    private readonly ResolverConfiguration host =
        ResolverConfiguration.Parse("nameserver 192.0.2.1\nsearch a.example b.example");

    [Fact]
    public void A_sandbox_gets_its_file_and_loses_it()
    {
        ResolvConf files = new(root);
        Assert.False(files.Made("web"));
        Assert.True(files.Write("web", host));
        Assert.True(files.Made("web"));
        Assert.False(files.Made("/run/netns/web"));
        string path = Path.Combine(root, "web", "resolv.conf");
        Assert.Equal(
            """
            # Made by overlayd; removed with the sandbox.
            nameserver 127.0.0.11
            search a.example b.example
            options ndots:0

            """,
            File.ReadAllText(path));
        Assert.True(files.Write("web", ResolverConfiguration.Empty));
        Assert.DoesNotContain("search", File.ReadAllText(path), StringComparison.Ordinal);
        Assert.Equal([path], Directory.GetFiles(Path.Combine(root, "web")));
        files.Remove("web");
        files.Remove("web");
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    [Fact]
    public void Somebody_elses_file_stays()
    {
        string folder = Directory.CreateDirectory(Path.Combine(root, "web")).FullName;
        File.WriteAllText(Path.Combine(folder, "resolv.conf"), "nameserver 192.0.2.9\n");
        ResolvConf files = new(root);
        Assert.False(files.Write("web", host));
        Assert.False(files.Made("web"));
        files.Remove("web");
        Assert.Equal("nameserver 192.0.2.9\n", File.ReadAllText(Path.Combine(folder, "resolv.conf")));
    }

    [Fact]
    public void A_folder_with_other_files_stays()
    {
        ResolvConf files = new(root);
        files.Write("web", host);
        File.WriteAllText(Path.Combine(root, "web", "hosts"), "");
        files.Remove("web");
        Assert.Equal("hosts", Path.GetFileName(Assert.Single(Directory.GetFiles(Path.Combine(root, "web")))));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("/etc")]
    public void Names_can_not_leave_the_folder(string name) =>
        Assert.Throws<NameServerException>(() => new ResolvConf(root).Write(name, host));

    [Fact]
    public void The_hosts_file_is_read_again_when_it_changes()
    {
        string path = Path.Combine(root, "resolv.conf");
        HostResolver resolver = new(path, TimeSpan.Zero, TimeProvider.System);
        Assert.Empty(resolver.Servers);
        File.WriteAllText(path, "nameserver 192.0.2.1\n");
        Assert.Equal("192.0.2.1:53", Assert.Single(resolver.Servers).ToString());
        File.WriteAllText(path, "nameserver 192.0.2.2\n");
        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch);
        Assert.Equal("192.0.2.2:53", Assert.Single(resolver.Servers).ToString());
        File.Delete(path);
        Assert.Equal("192.0.2.2:53", Assert.Single(resolver.Servers).ToString());
    }

    public void Dispose() => Directory.Delete(root, recursive: true);
}
