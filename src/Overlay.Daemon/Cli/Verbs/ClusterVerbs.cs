using System.CommandLine;
using System.CommandLine.Parsing;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>init</c>, <c>join</c> and <c>leave</c>.</summary>
internal static class ClusterVerbs
{
    /// <summary>Joining waits for certificates and the first view of the cluster.</summary>
    private static readonly TimeSpan JoinTimeout = TimeSpan.FromMinutes(1);

    public static Verb MakeInit(VerbMaker maker)
    {
        Option<string?> advertise = Advertise();
        Option<string?> listen = Listen();
        Option<string?> dataPath = DataPath();
        Option<string[]> pool = Symbols.Prefixes(
            "--default-addr-pool", "Where subnets are cut from; may be repeated [default: 10.0.0.0/8]");
        Option<uint> poolLength = Symbols.Number(
            "--default-addr-pool-mask-length", "BITS", "Prefix length of a subnet cut from the pool [default: 24]", 9,
            29);
        Option<uint> port = Symbols.Number(
            "--data-path-port", "PORT", "UDP port of VXLAN [default: 4789]", 1024, 65_535);
        Option<TimeSpan?> expiry = Symbols.Duration("--cert-expiry", "How long node certificates live [default: 90d]");
        Option<bool> autolock = Symbols.Switch("--autolock", "Lock the managers' disks: after a restart they wait for a key, which is printed now");
        Option<bool> force = Symbols.Switch(
            "--force-new-cluster", "Go on with this manager alone, when the others are lost; of the other options only addresses are taken");
        expiry.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<TimeSpan?>() is { } life && life < TimeSpan.FromHours(1))
            {
                result.AddError("--cert-expiry is shorter than 1h: use at least 1h");
            }
        });
        Verb verb = new(
            "init", "Begin a cluster with this node as its first manager",
            "overlayd init",
            "overlayd init --advertise-addr eth1 --data-path-addr 10.9.0.1",
            "overlayd init --default-addr-pool 10.20.0.0/16 --default-addr-pool-mask-length 26",
            "overlayd init --autolock",
            "overlayd init --force-new-cluster --advertise-addr 192.168.1.7");
        verb.Validators.Add(result =>
        {
            foreach (Option option in (Option[])[pool, poolLength, port, expiry, autolock])
            {
                if (result.GetResult(force) is not null && result.GetResult(option) is { Implicit: false })
                {
                    result.AddError($"{option.Name} cannot be given with --force-new-cluster: the cluster keeps what it has");
                }
            }
        });
        return maker.Does(verb, InitAsync, advertise, listen, dataPath, pool, poolLength, port, expiry, autolock, force);

        async Task<int> InitAsync(Invocation run)
        {
            InitRequest request = new()
            {
                AdvertiseAddress = run.Text(advertise),
                ListenAddress = run.Text(listen),
                DataPathAddress = run.Text(dataPath),
                DefaultPoolPrefix = run.Value(poolLength),
                VxlanPort = run.Value(port),
                CertificateLifeSeconds = (long)(run.Value(expiry)?.TotalSeconds ?? 0),
                Autolock = run.Value(autolock),
                ForceNewCluster = run.Value(force),
            };
            request.DefaultAddressPools.Add(run.Texts(pool));
            InitResponse made = await run.CallAsync(
                request.ForceNewCluster ? "cannot begin the cluster anew" : "cannot begin a cluster",
                (agent, options) => agent.InitAsync(request, options));
            if (request.ForceNewCluster)
            {
                run.Output.Talk($"Cluster {made.ClusterId} goes on with this node ({made.NodeId}) as its only manager.");
                TellSuperseded(run, made);
                run.Output.Result(made, run.Output.Options.Quiet ? made.WorkerToken : "    " + made.JoinCommand);
                return ExitCode.Ok;
            }

            run.Output.Talk($"This node ({made.NodeId}) is now the manager of cluster {made.ClusterId}.");
            LockVerbs.TellKey(run, made.UnlockKey);
            if (made.UnlockKey.Length > 0 && run.Output.Options is { Quiet: false, Json: false })
            {
                run.Output.Line("    " + made.UnlockKey);
                run.Output.Talk("");
            }

            run.Output.Talk("To add a worker, run this on it:");
            run.Output.Talk("");
            run.Output.Result(made, run.Output.Options.Quiet ? made.WorkerToken : "    " + made.JoinCommand);
            run.Output.Talk("");
            run.Output.Talk(
                "Next: `overlayd network create NAME`. `overlayd token show worker` prints the token again.");
            return ExitCode.Ok;
        }
    }

    public static Verb MakeJoin(VerbMaker maker)
    {
        Argument<string[]> managers = new("HOST:PORT")
        {
            Description = "A manager's address; several may be given, and each is tried [port: 2377]",
            Arity = ArgumentArity.OneOrMore,
        };
        managers.Validators.Add(static result =>
        {
            foreach (Token token in result.Tokens.Where(static t => !ManagerAddress.TryParse(t.Value, out _)))
            {
                result.AddError($"'{token.Value}' is not the address of a manager: write it like 192.0.2.1:2377");
            }
        });
        Option<string?> token = Symbols.Text(
            "--token", "TOKEN|-", "The join token, or - to read it from standard input [env: OVERLAYD_JOIN_TOKEN]");
        Option<string?> tokenFile = Symbols.Text("--token-file", "FILE", "Read the join token from a file");
        Option<string?> advertise = Advertise();
        Option<string?> listen = Listen();
        Option<string?> dataPath = DataPath();
        Verb verb = new(
            "join", "Join the cluster of a manager",
            "overlayd join --token OVTKN-1-… 192.0.2.1:2377",
            "overlayd join --token-file /run/secrets/token --advertise-addr eth1 192.0.2.1:2377 192.0.2.2:2377");
        return maker.Does(verb, JoinAsync, managers, token, tokenFile, advertise, listen, dataPath);

        async Task<int> JoinAsync(Invocation run)
        {
            JoinRequest request = new()
            {
                Token = JoinToken.Read(run.Terminal, run.Value(token), run.Value(tokenFile)),
                AdvertiseAddress = run.Text(advertise),
                ListenAddress = run.Text(listen),
                DataPathAddress = run.Text(dataPath),
            };
            foreach (string text in run.Value(managers))
            {
                _ = ManagerAddress.TryParse(text, out string address);
                request.ManagerAddresses.Add(address);
            }

            JoinResponse joined = await run.CallAsync(
                "cannot join the cluster", (agent, options) => agent.JoinAsync(request, options), JoinTimeout);
            run.Output.Talk($"This node is now a {RoleText.Of(joined.Role)} of cluster {joined.ClusterId}.");
            run.Output.Result(joined, joined.NodeId);
            return ExitCode.Ok;
        }
    }

    public static Verb MakeLeave(VerbMaker maker)
    {
        Option<bool> force = Symbols.Switch("--force", "Even if this ends the cluster or cuts endpoints off", "-f");
        Verb verb = new("leave", "Leave the cluster", "overlayd leave", "overlayd leave --force");
        return maker.Does(verb, LeaveAsync, force);

        async Task<int> LeaveAsync(Invocation run)
        {
            LeaveResponse answer = await run.CallAsync(
                "cannot leave the cluster",
                (agent, options) => agent.LeaveAsync(new LeaveRequest { Force = run.Value(force) }, options));
            run.Output.Result(answer, "");
            run.Output.Talk("This node has left the cluster.");
            return ExitCode.Ok;
        }
    }

    /// <summary>The options of every verb that lets this node enter a cluster as a manager.</summary>
    public static (Option<string?> Advertise, Option<string?> Listen, Option<string?> DataPath) Addresses() => (Advertise(), Listen(), DataPath());

    /// <summary>What became of the managers of before.</summary>
    public static void TellSuperseded(Invocation run, InitResponse made)
    {
        if (made.LastUndecided > 0)
        {
            run.Output.Talk(
                $"Entries {made.FirstUndecided} to {made.LastUndecided} of its log may not have been decided before; they hold now.");
        }

        run.Output.Talk($"This is epoch {made.Epoch} of the cluster: managers of before are refused. On each that is still there type");
        run.Output.Talk("`overlayd leave --force`, then join it again. Workers come back by themselves, with the certificates they have.");
        run.Output.Talk("");
    }

    private static Option<string?> Advertise() => Symbols.AddressOrInterface(
        "--advertise-addr", "Where other nodes reach this one [default: the host's address, if it has one]",
        portAllowed: true);

    private static Option<string?> Listen() => Symbols.AddressOrInterface(
        "--listen-addr", "Where the manager API listens [default: every address, port 2377]", portAllowed: true);

    private static Option<string?> DataPath() => Symbols.AddressOrInterface(
        "--data-path-addr", "The source of VXLAN packets [default: --advertise-addr]");
}
