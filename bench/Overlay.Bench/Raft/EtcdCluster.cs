using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Bench.Etcd;
using Overlay.Daemon.Trust;

namespace Overlay.Bench.Raft;

/// <summary>Debian's etcd in the network namespaces of the lab's hosts 1 to 3, with certificates of the same kind.</summary>
/// <param name="root">For its files.</param>
/// <param name="lab">The lab's folder.</param>
internal sealed class EtcdCluster(string root, string lab) : RaftCluster, IDisposable
{
    private readonly Process?[] processes = new Process?[Members];
    private const string Executable = "/usr/bin/etcd";

    public static bool IsWanted => Environment.GetEnvironmentVariable("BENCH_PEER") != "0" && File.Exists(Executable);

    public override string Name => "etcd 3.4";

    public void Create()
    {
        Directory.CreateDirectory(root);
        DateTimeOffset from = DateTimeOffset.UtcNow.AddDays(-1);
        using ECDsa rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest authority = new("CN=bench", rootKey, HashAlgorithmName.SHA256);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using X509Certificate2 ca = authority.CreateSelfSigned(from, from.AddDays(30));
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest member = new("CN=member", key, HashAlgorithmName.SHA256);
        SubjectAlternativeNameBuilder names = new();
        for (int host = 0; host < Members; host++)
        {
            names.AddIpAddress(IPAddress.Parse(AddressOf(host)));
        }

        names.AddDnsName(CertificateAuthority.ManagerName);
        member.CertificateExtensions.Add(names.Build());
        using X509Certificate2 certificate = member.Create(ca, from, from.AddDays(29), RandomNumberGenerator.GetBytes(8));
        File.WriteAllText(InRoot("ca.pem"), ca.ExportCertificatePem());
        File.WriteAllText(InRoot("member.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(InRoot("member.key"), key.ExportPkcs8PrivateKeyPem());
    }

    public override IRaftClient Connect(int member, int connections)
    {
        using X509Certificate2 pem = X509Certificate2.CreateFromPemFile(InRoot("member.pem"), InRoot("member.key"));
        X509Certificate2 own = X509CertificateLoader.LoadPkcs12(pem.Export(X509ContentType.Pfx), null);
        using X509Certificate2 ca = X509CertificateLoader.LoadCertificateFromFile(InRoot("ca.pem"));
        SslStreamCertificateContext presented = SslStreamCertificateContext.Create(own, [ca], offline: true);
        byte[] expected = own.RawData;
        return new Client(this, [.. Enumerable.Range(0, connections).Select(_ => ManagerEndpoint.OpenWith(
            $"{AddressOf(member)}:2379", presented,
            (peer, _) => peer is not null && expected.AsSpan().SequenceEqual(peer.RawData) ? null : "it is another member's"))]);
    }

    public override int Pid(int member) => processes[member]!.Id;

    public override Task StartAsync(int member)
    {
        processes[member]?.Dispose();
        processes[member] = Process.Start(StartInfo(member))!;
        processes[member]!.BeginErrorReadLine();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        foreach (Process process in processes.OfType<Process>())
        {
            if (!process.HasExited)
            {
                process.Kill();
                process.WaitForExit();
            }

            process.Dispose();
        }
    }

    private ProcessStartInfo StartInfo(int member)
    {
        ProcessStartInfo info = new(
            "nsenter",
            [
                "--target", File.ReadAllText($"{lab}/host{member + 1}/pid").Trim(), "--net", "--", Executable,
                "--name", $"m{member}", "--data-dir", InRoot($"m{member}"),
                "--listen-client-urls", ClientUrl(member), "--advertise-client-urls", ClientUrl(member),
                "--listen-peer-urls", PeerUrl(member), "--initial-advertise-peer-urls", PeerUrl(member),
                "--initial-cluster", string.Join(',', Enumerable.Range(0, Members).Select(m => $"m{m}={PeerUrl(m)}")),
                "--cert-file", InRoot("member.pem"), "--key-file", InRoot("member.key"),
                "--trusted-ca-file", InRoot("ca.pem"), "--client-cert-auth",
                "--peer-cert-file", InRoot("member.pem"), "--peer-key-file", InRoot("member.key"),
                "--peer-trusted-ca-file", InRoot("ca.pem"), "--peer-client-cert-auth",
                "--quota-backend-bytes", "4294967296", "--log-level", "error",
            ])
        {
            RedirectStandardError = true,
        };
        if (RuntimeInformation.ProcessArchitecture == Architecture.Arm64)
        {
            info.Environment["ETCD_UNSUPPORTED_ARCH"] = "arm64";
        }

        return info;
    }

    private static string AddressOf(int member) => $"192.168.50.{member + 1}";

    private static string ClientUrl(int member) => $"https://{AddressOf(member)}:2379";

    private static string PeerUrl(int member) => $"https://{AddressOf(member)}:2380";

    private string InRoot(string name) => Path.Combine(root, name);

    /// <summary>A write puts a key that was not there; a read gets one of 180 octets.</summary>
    private sealed class Client(EtcdCluster cluster, GrpcChannel[] channels) : IRaftClient
    {
        // With the key, its frame and the request's id an entry of 224 octets.
        private static readonly ByteString Value = ByteString.CopyFrom([.. Enumerable.Repeat((byte)'v', 180)]);

        public async Task WriteAsync(int connection, CancellationToken cancellationToken) =>
            await new KV.KVClient(channels[connection]).PutAsync(
                new() { Key = KeyOf(cluster.Next()), Value = Value }, cancellationToken: cancellationToken);

        public async Task ReadAsync(int connection, CancellationToken cancellationToken) =>
            await new KV.KVClient(channels[connection]).RangeAsync(new() { Key = KeyOf(1) }, cancellationToken: cancellationToken);

        public async Task<string?> FollowsAsync(CancellationToken cancellationToken)
        {
            try
            {
                StatusResponse status = await new Maintenance.MaintenanceClient(channels[0]).StatusAsync(
                    new(), deadline: DateTime.UtcNow.AddSeconds(1), cancellationToken: cancellationToken);
                return status.Leader == status.Header.MemberId ? null : "another one leads";
            }
            catch (RpcException e)
            {
                return e.Status.Detail;
            }
        }

        public void Dispose()
        {
            foreach (GrpcChannel channel in channels)
            {
                channel.Dispose();
            }
        }

        private static ByteString KeyOf(long number) => ByteString.CopyFromUtf8($"bench/{number:D16}");
    }
}
