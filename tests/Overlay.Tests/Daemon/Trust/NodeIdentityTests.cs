using System.Security.Cryptography;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Trust;

public sealed class NodeIdentityTests : IDisposable
{
    private const string ClusterId = "0123456789abcdef";
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly NodeId Node = new(7);

    private readonly TemporaryFolder folder = new();
    private readonly CertificateAuthority authority = CertificateAuthority.Create(ClusterId, Now);

    public void Dispose()
    {
        authority.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void Comes_back_from_its_files()
    {
        NodeIdentity made = Make();
        NodeIdentity loaded = NodeIdentity.Load(folder.Path);
        Assert.Equal((made.Node, made.Role, made.ClusterId), (loaded.Node, loaded.Role, loaded.ClusterId));
        Assert.Equal(made.Certificate.RawData, loaded.Certificate.RawData);
        Assert.Equal(authority.CertificateDer, loaded.Roots.Single().RawData);
        Assert.True(loaded.Certificate.HasPrivateKey);
        Assert.Equal((made.NotBefore, made.NotAfter), (loaded.NotBefore, loaded.NotAfter));
        Assert.Equal(Now.AddDays(1), loaded.NotAfter);
    }

    [Fact]
    public void Its_files_are_for_their_owner_only()
    {
        Make();
        string certificates = Path.Combine(folder.Path, "certificates");
        Assert.Equal(DurableFile.PrivateFolder, File.GetUnixFileMode(certificates));
        string[] files = Directory.GetFiles(certificates);
        Assert.Equal(["ca.crt", "node.crt", "node.key"], files.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.All(files, file => Assert.Equal(DurableFile.Private, File.GetUnixFileMode(file)));
    }

    [Fact]
    public void A_file_with_an_open_mode_that_was_there_is_closed_again()
    {
        string path = Path.Combine(folder.Path, "secret");
        File.WriteAllText(path + ".tmp", "rest of a crash");
        File.SetUnixFileMode(path + ".tmp", DurableFile.Private | UnixFileMode.OtherRead);
        DurableFile.WriteAtomically(path, "bytes"u8);
        Assert.Equal(DurableFile.Private, File.GetUnixFileMode(path));
        Assert.Equal("bytes", File.ReadAllText(path));
        Assert.False(File.Exists(path + ".tmp"));
    }

    [Theory]
    [InlineData("node.key")]
    [InlineData("node.crt")]
    [InlineData("ca.crt")]
    public void A_damaged_or_missing_file_is_told_with_what_to_do(string file)
    {
        Make();
        string path = Path.Combine(folder.Path, "certificates", file);
        byte[] whole = File.ReadAllBytes(path);
        foreach (byte[] damaged in (byte[][])[[], whole[..(whole.Length / 2)], [.. "garbage"u8]])
        {
            File.WriteAllBytes(path, damaged);
            Unusable();
        }

        File.Delete(path);
        Unusable();
        File.WriteAllBytes(path, whole);
        Assert.Equal(Node, NodeIdentity.Load(folder.Path).Node);
    }

    [Fact]
    public void A_key_of_another_certificate_is_told()
    {
        Make();
        using ECDsa other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        File.WriteAllBytes(Path.Combine(folder.Path, "certificates", "node.key"), other.ExportPkcs8PrivateKey());
        Unusable();
    }

    [Fact]
    public void A_renewal_keeps_the_key_and_survives_a_restart()
    {
        NodeIdentity identity = Make();
        byte[] key = File.ReadAllBytes(Path.Combine(folder.Path, "certificates", "node.key"));
        identity.Renew(new(Sign(authority, identity.CreateRequest(), Node, Now.AddHours(12)), []), Now.AddHours(12));
        Assert.Equal(Now.AddHours(36), identity.NotAfter);
        Assert.Equal(identity.Certificate.RawData, NodeIdentity.Load(folder.Path).Certificate.RawData);
        Assert.Equal(key, File.ReadAllBytes(Path.Combine(folder.Path, "certificates", "node.key")));
        Assert.Equal(DurableFile.Private, File.GetUnixFileMode(Path.Combine(folder.Path, "certificates", "node.crt")));
    }

    [Fact]
    public void A_renewal_that_is_not_ours_changes_nothing()
    {
        NodeIdentity identity = Make();
        byte[] before = identity.Certificate.RawData;
        using ECDsa other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using CertificateAuthority twin = CertificateAuthority.Create(ClusterId, Now);
        byte[][] wrong =
        [
            [.. "garbage"u8],
            Sign(authority, NodeIdentity.RequestFor(other), Node, Now),
            Sign(authority, identity.CreateRequest(), new(8), Now),
            Sign(twin, identity.CreateRequest(), Node, Now),
            Sign(authority, identity.CreateRequest(), Node, Now.AddDays(5)),
        ];
        Assert.All(wrong, der => Assert.Throws<InvalidDataException>(() => identity.Renew(new(der, []), Now)));
        Assert.Equal(before, identity.Certificate.RawData);
        Assert.Equal(before, NodeIdentity.Load(folder.Path).Certificate.RawData);
    }

    [Fact]
    public void Erased_it_is_gone()
    {
        Make();
        NodeIdentity.Erase(folder.Path);
        NodeIdentity.Erase(folder.Path);
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    private NodeIdentity Make() =>
        NodeIdentity.Create(folder.Path, authority, Node, NodeRole.Worker, ClusterId, TimeSpan.FromDays(1), Now);

    private static byte[] Sign(CertificateAuthority by, byte[] request, NodeId node, DateTimeOffset now) =>
        by.SignNode(request, node, NodeRole.Worker, ClusterId, TimeSpan.FromDays(1), now).Value;

    private void Unusable()
    {
        InvalidDataException told = Assert.Throws<InvalidDataException>(() => NodeIdentity.Load(folder.Path));
        Assert.Contains(Path.Combine(folder.Path, "certificates"), told.Message, StringComparison.Ordinal);
        Assert.Contains("overlayd leave --force", told.Message, StringComparison.Ordinal);
    }
}
