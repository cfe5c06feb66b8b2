// The static site with the pages of frontend/. They call the app that their link names (?api=).
param name string
param location string
param tags object

resource site 'Microsoft.Web/staticSites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'web' }) // where azd puts the service `web`
  sku: { name: 'Free', tier: 'Free' }
  properties: {}
}

output uri string = 'https://${site.properties.defaultHostname}'
