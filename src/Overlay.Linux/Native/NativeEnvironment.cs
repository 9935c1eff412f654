namespace Overlay.Linux.Native;

/// <summary>The environment that native libraries read; <see cref="Environment"/> works on a copy of its own.</summary>
/// <remarks>setenv(3). Nobody may read the environment at that moment: for the start of the process.</remarks>
public static class NativeEnvironment
{
    /// <returns>False: there is no room for it.</returns>
    public static bool Set(string name, string value) => Libc.SetEnvironment(name, value, overwrite: 1) == 0;
}
