// Names of subjects and issuers in the form of RFC 2253, as BoringSSL prints them for Envoy
// (XN_FLAG_RFC2253): last attribute first, bytes above 0x7f escaped one by one.
import { DerTag, oidText, readDerAll, stringOf } from "../core/der-reader.ts";
import type { DerElement } from "../core/der-reader.ts";

/** BoringSSL's short names below 2.5.4 by their arc; arcs without one are written as numbers. */
const x500Names: Readonly<Record<string, string>> = Object.fromEntries(
  (
    "3 CN,4 SN,5 serialNumber,6 C,7 L,8 ST,9 street,10 O,11 OU,12 title,13 description," +
    "14 searchGuide,15 businessCategory,16 postalAddress,17 postalCode,18 postOfficeBox," +
    "19 physicalDeliveryOfficeName,20 telephoneNumber,21 telexNumber," +
    "22 teletexTerminalIdentifier,23 facsimileTelephoneNumber,24 x121Address," +
    "25 internationaliSDNNumber,26 registeredAddress,27 destinationIndicator," +
    "28 preferredDeliveryMethod,29 presentationAddress,30 supportedApplicationContext," +
    "31 member,32 owner,33 roleOccupant,34 seeAlso,35 userPassword,36 userCertificate," +
    "37 cACertificate,38 authorityRevocationList,39 certificateRevocationList," +
    "40 crossCertificatePair,41 name,42 GN,43 initials,44 generationQualifier," +
    "45 x500UniqueIdentifier,46 dnQualifier,47 enhancedSearchGuide,48 protocolInformation," +
    "49 distinguishedName,50 uniqueMember,51 houseIdentifier,52 supportedAlgorithms," +
    "53 deltaRevocationList,54 dmdName,65 pseudonym"
  )
    .split(",")
    .map((row) => row.split(" ") as [string, string]),
);

/** The same of RFC 4524's attributes, below 0.9.2342.19200300.100.1. */
const pilotNames: Readonly<Record<string, string>> = Object.fromEntries(
  (
    "1 UID,2 textEncodedORAddress,3 mail,4 info,5 favouriteDrink,6 roomNumber,7 photo," +
    "8 userClass,9 host,10 manager,11 documentIdentifier,12 documentTitle,13 documentVersion," +
    "14 documentAuthor,15 documentLocation,20 homeTelephoneNumber,21 secretary,22 otherMailbox," +
    "23 lastModifiedTime,24 lastModifiedBy,25 DC,26 aRecord,27 pilotAttributeType27,28 mXRecord," +
    "29 nSRecord,30 sOARecord,31 cNAMERecord,37 associatedDomain,38 associatedName," +
    "39 homePostalAddress,40 personalTitle,41 mobileTelephoneNumber,42 pagerTelephoneNumber," +
    "43 friendlyCountryName,45 organizationalStatus,46 janetMailbox,47 mailPreferenceOption," +
    "48 buildingName,49 dSAQuality,50 singleLevelQuality,51 subtreeMinimumQuality," +
    "52 subtreeMaximumQuality,53 personalSignature,54 dITRedirect,55 audio,56 documentPublisher"
  )
    .split(",")
    .map((row) => row.split(" ") as [string, string]),
);

const otherNames: Readonly<Record<string, string>> = {
  "1.2.840.113549.1.9.1": "emailAddress",
  "1.2.840.113549.1.9.2": "unstructuredName",
  "1.2.840.113549.1.9.7": "challengePassword",
  "1.2.840.113549.1.9.8": "unstructuredAddress",
  "1.2.840.113549.1.9.20": "friendlyName",
  "1.3.6.1.4.1.311.17.1": "CSPName",
};

const X500 = "2.5.4.";
const PILOT = "0.9.2342.19200300.100.1.";

/** `content` is that of a Name: a list of sets of attributes. */
export function nameText(content: Buffer): string {
  return readDerAll(content)
    .map((set) =>
      readDerAll(set.content)
        .map((attribute) => attributeText(attribute))
        .toReversed()
        .join("+"),
    )
    .toReversed()
    .join(",");
}

function attributeText(attribute: DerElement): string {
  const [type, value] = readDerAll(attribute.content);
  if (type === undefined || value === undefined || type.tag !== DerTag.Oid) return "";
  const oid = oidText(type.content);
  const name = shortName(oid);
  const text = name === undefined ? null : stringOf(value);
  const printed = text === null ? `#${value.whole.toString("hex").toUpperCase()}` : escaped(text);
  return `${name ?? oid}=${printed}`;
}

function shortName(oid: string): string | undefined {
  if (oid.startsWith(X500)) return x500Names[oid.slice(X500.length)];
  if (oid.startsWith(PILOT)) return pilotNames[oid.slice(PILOT.length)];
  return otherNames[oid];
}

/** What would be read as syntax gets a backslash; control and high bytes become hex. */
function escaped(text: string): string {
  let out = "";
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    const char = text.charAt(i);
    const isAtEnd = i === 0 || i === text.length - 1;
    if (code < 0x20 || code > 0x7e) {
      out += `\\${code.toString(16).toUpperCase().padStart(2, "0")}`;
    } else if (',+"\\<>;'.includes(char) || (char === " " && isAtEnd)) out += `\\${char}`;
    else out += char === "#" && i === 0 ? "\\#" : char;
  }
  return out;
}
